"use strict";
// Beside the answer: what is found while one writes, and a press that puts it into the answer.
(() => {
  const LONGEST = 300; // characters: what is being written now says what is needed, and an address is short

  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (!detail.elt.matches("[data-suggestions]")) return;
    const { text = "" } = detail.parameters;
    detail.parameters.text = text.slice(-LONGEST);
  });

  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.("[data-insert]");
    const answer = button && document.getElementById("text");
    if (!answer) return;
    const before = answer.value.trimEnd();
    answer.value = before ? `${before}\n\n${button.dataset.insert}` : button.dataset.insert;
    answer.focus();
  });
})();
