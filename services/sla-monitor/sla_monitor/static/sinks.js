"use strict";
// The form of a sink: sent as JSON to the same routes programs use; what is wrong is said beside its field.
(() => {
  const form = document.getElementById("sink");
  const { kind, id, version } = form.dataset;
  const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
  const headers = () => ({ "content-type": "application/json", ...JSON.parse(document.body.getAttribute("hx-headers")) });

  function valueOf(field) {
    if (field.dataset.form === "number") return Number(field.value);
    if (field.dataset.form === "list") return lines(field.value);
    if (field.dataset.form !== "pairs") return field.value.trim();
    return Object.fromEntries(lines(field.value).map((line) => line.split("=").map((part) => part.trim())).map(([name, ...rest]) => [name, rest.join("=")]));
  }

  function terms() {
    const all = (name) => [...form.querySelectorAll(`[data-terms="${name}"]`)];
    const one = (name) => all(name)[0];
    const checked = (name) => all(name).filter((each) => each.checked).map((each) => each.value);
    return {
      roles: checked("roles"),
      group_by: checked("group_by"),
      warnings: one("warnings").checked,
      regions: lines(one("regions").value).length ? lines(one("regions").value) : null,
      language: one("language").value,
      window: Number(one("window").value),
      gather: Number(one("gather").value),
      quiet_from: one("quiet_from").value || null,
      quiet_until: one("quiet_until").value || null,
      zone: one("zone").value.trim(),
    };
  }

  function wanted() {
    const config = Object.fromEntries([...form.querySelectorAll("[data-config]")].map((field) => [field.dataset.config, valueOf(field)]));
    const given = { name: form.elements.name.value, config, terms: terms(), enabled: form.elements.enabled.checked };
    const secret = form.elements.secret?.value.trim();
    if (secret) given.secret = secret;
    return id ? given : { ...given, kind };
  }

  async function ask(method, path, body, more = {}) {
    const answer = await fetch(path, { method, headers: { ...headers(), ...more }, body: body && JSON.stringify(body) }).catch(() => null);
    if (answer?.ok) return answer;
    complain(answer ? await answer.json().catch(() => ({})) : { detail: document.getElementById("notice").dataset.offline });
    return null;
  }

  function complain(problem) {
    for (const each of form.querySelectorAll(".wrong")) {
      each.classList.remove("wrong");
      each.querySelector(".error")?.remove();
    }
    let placed = false;
    for (const { pointer, detail } of problem.errors ?? []) {
      const field = [...form.querySelectorAll("[data-at]")].find((each) => pointer === each.dataset.at || pointer.startsWith(`${each.dataset.at}/`));
      if (!field || field.classList.contains("wrong")) continue;
      field.classList.add("wrong");
      field.append(Object.assign(document.createElement("p"), { className: "error", textContent: detail }));
      placed = true;
    }
    const said = form.querySelector(".error[role=alert]");
    said.textContent = problem.detail || document.getElementById("notice").dataset.failed;
    said.hidden = false;
    if (placed) form.querySelector(".wrong :is(input, textarea, select)")?.focus();
  }

  async function save(event) {
    event.preventDefault();
    const answer = await (id ? ask("PUT", `/sla/sinks/${id}`, wanted(), { "if-match": `"${version}"` }) : ask("POST", "/sla/sinks", wanted()));
    if (!answer) return;
    location.assign(id ? location.pathname : answer.headers.get("location"));
  }

  async function sendAgain(event) {
    event.preventDefault();
    const given = new FormData(event.target);
    const at = (name) => new Date(given.get(name)).toISOString();
    const answer = await ask("POST", `/sla/sinks/${id}/replay`, { since: at("since"), until: at("until") });
    if (!answer) return;
    const { messages } = await answer.json();
    const notice = document.getElementById("notice");
    notice.querySelector("p").textContent = event.target.dataset.said.replace("{}", messages);
    notice.hidden = false;
  }

  document.addEventListener("DOMContentLoaded", () => {
    form.addEventListener("submit", save);
    document.getElementById("replay")?.addEventListener("submit", sendAgain);
    form.querySelector("[data-post]")?.addEventListener("click", async () => {
      if (await ask("POST", `/sla/sinks/${id}/test`)) location.reload();
    });
    form.querySelector("[data-retire]")?.addEventListener("click", async ({ target }) => {
      if (!confirm(target.dataset.sure)) return;
      if (await ask("DELETE", `/sla/sinks/${id}`, undefined, { "if-match": `"${version}"` })) location.assign("/sla/sinks");
    });
  });
})();
