"use strict";
// A day that is chosen in the year goes into the first free row of the editor; more rows come as they are needed.
(() => {
  document.addEventListener("DOMContentLoaded", () => {
    const rows = document.querySelector("[data-rows]");
    if (!rows) return;

    function free() {
      const empty = [...rows.children].find((row) => !row.querySelector("input").value);
      if (empty) return empty;
      const row = rows.lastElementChild.cloneNode(true);
      for (const input of row.querySelectorAll("input")) input.value = "";
      rows.append(row);
      return row;
    }

    document.querySelector(".months").addEventListener("click", (event) => {
      const day = event.target.closest("[data-day]");
      if (!day) return;
      const row = free();
      const [date, becomes, name] = row.querySelectorAll("input, select");
      date.value = day.dataset.day;
      becomes.value = day.matches(".holiday, .make_up, .other_hours") ? "usual" : day.matches(".off") ? "work" : "off";
      row.closest("details").open = true;
      name.focus();
    });

    // Enter in a field takes the step that the field belongs to, not the first one of the form.
    document.querySelector(".editor").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.target.matches("input:not([type=file])")) return;
      event.preventDefault();
      event.target.closest("details, fieldset").querySelector("button[name=step]").click();
    });
  });
})();
