"use strict";
// A dossier is evidence: it goes on paper by one click.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelector("[data-print]").addEventListener("click", () => print());
});
