"use strict";
// The board moves by itself between two messages of the server: countdowns, bars, the clock on the wall, and the
// number of missed promises in the tab's title, where it is seen while another tab is in front.
(() => {
  const root = document.documentElement;
  // By the server's clock: the one on the desk may be wrong.
  const ahead = root.dataset.now ? Date.parse(root.dataset.now) - Date.now() : 0;
  const SOON = 0.75; // of the time is gone
  const LAST = 0.9;
  const DAY = 86_400;
  const title = document.title;

  const two = (number) => String(number).padStart(2, "0");
  const wallClock = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Shanghai", timeStyle: "medium" });

  /** 3 d 04:05:06, 4:05:06, 05:06; cut, so that a promise with 0.9 s left has none left. */
  function digits(seconds) {
    const whole = Math.floor(seconds);
    const days = Math.floor(whole / DAY);
    const hours = Math.floor((whole % DAY) / 3600);
    const rest = `${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
    if (days) {
      const unit = new Intl.NumberFormat(root.lang, { style: "unit", unit: "day", unitDisplay: "narrow" });
      return `${unit.format(days)} ${two(hours)}:${rest}`;
    }
    return hours ? `${hours}:${rest}` : rest;
  }

  /** Seconds that are left, and whether they are running out now. */
  function left(clock, now) {
    const { deadline, pausedFrom, pausedUntil } = clock.dataset;
    const end = Date.parse(deadline);
    if (pausedUntil && now < Date.parse(pausedUntil)) return [(end - Date.parse(pausedUntil)) / 1000, false];
    if (pausedFrom && !pausedUntil) return [(end - Date.parse(pausedFrom)) / 1000, false];
    return [(end - now) / 1000, true];
  }

  function put(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function tick() {
    const now = Date.now() + ahead;
    for (const clock of document.querySelectorAll(".clock")) {
      const [seconds, running] = left(clock, now);
      const used = Math.min(1, Math.max(0, 1 - seconds / Number(clock.dataset.allowance)));
      put(clock.querySelector(".countdown"), seconds < 0 ? `−${digits(-seconds)}` : digits(seconds));
      clock.querySelector("progress").value = Math.round(used * 1000);
      clock.classList.toggle("over", seconds < 0);
      clock.classList.toggle("soon", seconds >= 0 && running && used >= SOON && used < LAST);
      clock.classList.toggle("last", seconds >= 0 && running && used >= LAST);
      clock.classList.toggle("paused", !running);
    }
    for (const late of document.querySelectorAll(".late-by")) put(late, digits((now - Date.parse(late.dateTime)) / 1000));
    for (const time of document.querySelectorAll(".wall-clock")) put(time, wallClock.format(now));
  }

  function count() {
    for (const section of document.querySelectorAll(".board section")) {
      put(section.querySelector(".count"), String(section.querySelectorAll("li").length));
    }
    const list = document.querySelector("[data-alarm]");
    const missed = list.querySelectorAll(".miss").length;
    document.title = missed ? `${list.dataset.alarm.replace("{}", missed)} ${title}` : title;
  }

  document.addEventListener("DOMContentLoaded", () => {
    // Rows come as the server wrote them: they get their figures before they are painted.
    const seen = new MutationObserver((changes) => {
      if (changes.some((change) => change.addedNodes.length)) tick();
      count();
    });
    for (const list of document.querySelectorAll(".board [data-feed]")) seen.observe(list, { childList: true });
    tick();
    count();
    setInterval(tick, 1000);
  });
})();
