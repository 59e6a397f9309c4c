"use strict";
// The board moves by itself between two messages of the server: countdowns, bars, the clock on the wall, how much
// there is beside what is shown, how old all that is, and the number of missed promises in the tab's title, where
// it is seen while another tab is in front.
(() => {
  const root = document.documentElement;
  // By the server's clock: the one on the desk may be wrong.
  const ahead = root.dataset.now ? Date.parse(root.dataset.now) - Date.now() : 0;
  const SOON = 0.75; // of the time is gone
  const LAST = 0.9;
  const DAY = 86_400;
  const UNHEARD = 5; // seconds without the stream, and what is shown is no longer called the present
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
    const { deadline, pausedFrom, pausedUntil, open } = clock.dataset;
    const end = Date.parse(deadline);
    const until = pausedUntil && now < Date.parse(pausedUntil) ? Date.parse(pausedUntil) : null;
    const stands = until ?? (pausedFrom && !pausedUntil ? Date.parse(pausedFrom) : null);
    const from = stands ?? now;
    if (!open || from > end) return [(end - from) / 1000, stands === null];
    // Only working time counts: what of the opening hours lies ahead.
    const hours = open.trim().split(" ").map((each) => each.split("-").map((second) => Number(second) * 1000));
    const ahead = hours.map(([opens, closes]) => Math.max(0, Math.min(closes, end) - Math.max(opens, from)));
    return [ahead.reduce((sum, each) => sum + each, 0) / 1000, stands === null];
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

  /** How many there are in all: the server's count, which is a little older than the list. */
  function total(name, shown) {
    const pulse = document.querySelector(".pulse");
    const counted = Number(pulse?.dataset[name] ?? 0);
    if (counted > Number(pulse?.dataset.counted)) return [counted - 1, "+"];
    return [Math.max(counted, shown), ""];
  }

  function count() {
    for (const section of document.querySelectorAll(".board section")) {
      const list = section.querySelector("[data-feed]");
      const first = list.firstElementChild?.offsetLeft;
      const shown = [...list.children].filter((row) => row.offsetLeft === first).length; // a wall has no more room
      const [all, open] = total(section.classList[0], list.childElementCount);
      const more = section.querySelector(".more");
      put(section.querySelector(".count"), all + open);
      const said = more.querySelector("[data-said]");
      put(said, said.dataset.said.replace("{}", all - shown + open));
      more.hidden = !shown || all === shown;
    }
    const list = document.querySelector("[data-alarm]");
    const [missed, open] = total("missed", list.childElementCount);
    document.title = missed ? `${list.dataset.alarm.replace("{}", missed + open)} ${title}` : title;
  }

  let lostAt = null;

  /** Since when the server has been silent, in words that cannot be overlooked. */
  function age() {
    const { liveState } = document.querySelector("[data-live-state]").dataset;
    lostAt = liveState === "live" ? null : (lostAt ?? Date.now());
    const seconds = lostAt ? (Date.now() - lostAt) / 1000 : 0;
    const stale = document.querySelector(".stale");
    stale.hidden = seconds < UNHEARD;
    put(stale, stale.dataset.said.replace("{}", digits(seconds)));
    root.dataset.lost = Math.floor(seconds);
  }

  document.addEventListener("DOMContentLoaded", () => {
    // Rows come as the server wrote them: they get their figures before they are painted.
    const seen = new MutationObserver((changes) => {
      if (changes.some((change) => change.addedNodes.length)) tick();
      count();
    });
    for (const list of document.querySelectorAll("[data-feed]")) seen.observe(list, { childList: true });
    const look = () => (tick(), age());
    look();
    count();
    setInterval(look, 1000);
    addEventListener("resize", count);
  });
})();
