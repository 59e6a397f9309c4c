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
    if (button) put(button.dataset.insert);
  });

  // A template that was chosen, with the facts of the request in it; the choice is open again.
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    const chosen = detail.target.querySelector("[data-put]");
    if (!chosen) return;
    begin(chosen.dataset.put);
    detail.requestConfig.elt.value = "";
  });

  let begun = ""; // the template as it was put in, to know whether somebody has written since

  // Another template takes the place of one that nobody has touched: two would greet twice.
  function begin(words) {
    const answer = document.getElementById("text");
    if (answer && begun && answer.value === begun) answer.value = "";
    put(words);
    begun = answer?.value ?? "";
  }

  // Behind what somebody has written already: nothing of theirs is lost.
  function put(words) {
    const answer = document.getElementById("text");
    if (!answer) return;
    const before = answer.value.trimEnd();
    answer.value = before ? `${before}\n\n${words}` : words;
    answer.dispatchEvent(new Event("input", { bubbles: true }));
    answer.focus();
  }
})();
