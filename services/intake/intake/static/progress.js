"use strict";
// Times are written by the clocks of the house. Whoever lives by other clocks reads by theirs, too, what is ahead.
document.addEventListener("DOMContentLoaded", () => {
  const { zone, elsewhere } = document.querySelector("[data-zone]").dataset;
  const form = { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" };
  const written = (instants, timeZone) => {
    const format = new Intl.DateTimeFormat(document.documentElement.lang, { ...form, timeZone });
    return instants.length === 2 ? format.formatRange(...instants) : format.format(...instants);
  };
  for (const place of document.querySelectorAll("[data-instants]")) {
    const instants = place.dataset.instants.split(" ").map((each) => new Date(each));
    const here = written(instants);
    if (here === written(instants, zone)) continue;
    place.append(" ", Object.assign(document.createElement("small"), { textContent: elsewhere.replace("{}", here) }));
  }
});
