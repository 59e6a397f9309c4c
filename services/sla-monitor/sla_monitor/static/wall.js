"use strict";
// A screen on the wall has nobody in front of it: it stays awake, and comes back by itself.
(() => {
  const LOST = 30; // seconds; by then the stream has tried to come back often enough

  /** Where the browser knows how; it lets go whenever the page is hidden. */
  async function stayAwake() {
    if (!document.hidden) await navigator.wakeLock?.request("screen").catch(() => null);
  }

  /** Loaded anew, as soon as there is something to load: with the present, and perhaps with newer scripts. */
  async function comeBack() {
    if (Number(document.documentElement.dataset.lost) < LOST) return;
    const answer = await fetch(location.href).catch(() => null);
    if (answer?.ok && !answer.redirected) location.reload();
  }

  document.addEventListener("DOMContentLoaded", () => {
    stayAwake();
    document.addEventListener("visibilitychange", stayAwake);
    setInterval(comeBack, 10_000);
  });
})();
