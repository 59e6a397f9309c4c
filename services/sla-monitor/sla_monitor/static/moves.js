"use strict";
// Running subjects are moved to another version: first a look at what would change, page by page, then the move itself.
(() => {
  const SHOWN = 200;
  const EVERY = 1000; // milliseconds between two looks at the progress

  const moment = new Intl.DateTimeFormat(document.documentElement.lang, {
    timeZone: "Asia/Shanghai", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  });

  function criteria(box) {
    const chosen = {};
    for (const field of box.querySelectorAll("[data-criterion]")) {
      if (field.value.trim()) chosen[field.dataset.criterion] = [field.value.trim()];
    }
    return chosen;
  }

  async function ask(method, address, body) {
    const headers = { "content-type": "application/json", accept: "application/json", ...JSON.parse(document.body.getAttribute("hx-headers")) };
    if (method === "POST") headers["idempotency-key"] = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16)).join("");
    const answer = await fetch(address, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(problemText(told));
    return told;
  }

  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  function name(box, code) {
    return box.querySelector(`[data-name="${CSS.escape(code)}"]`)?.textContent ?? code;
  }

  function judged(box, clock) {
    if (!clock) return box.querySelector("[data-list]").dataset.gone;
    return `${moment.format(new Date(clock.deadline))} (${name(box, clock.outcome)})`;
  }

  function line(box, subject) {
    const item = document.createElement("li");
    const link = Object.assign(document.createElement("a"), { href: `/sla/subjects/${subject.about}`, textContent: subject.title ?? subject.about });
    item.append(link);
    for (const each of subject.differences) {
      const change = document.createElement("p");
      change.className = each.flips ? "small flips" : "small";
      change.textContent = `${name(box, each.promise)}: ${judged(box, each.before)} → ${judged(box, each.after)}`;
      item.append(change);
    }
    return item;
  }

  async function look(box) {
    const address = `/sla/policies/${box.dataset.move}/migration/preview`;
    const result = box.querySelector("[data-result]");
    const list = box.querySelector("[data-list]");
    const sum = { total: 0, examined: 0, changed: 0, flipped: 0 };
    list.replaceChildren();
    let after = null;
    do {
      const seen = await ask("POST", address, { criteria: criteria(box), after, limit: SHOWN });
      sum.total = seen.total;
      for (const count of ["examined", "changed", "flipped"]) sum[count] += seen[count];
      const room = Math.max(0, SHOWN - list.childElementCount);
      list.append(...seen.subjects.slice(0, room).map((subject) => line(box, subject)));
      result.textContent = fill(result.dataset.summary, sum);
      after = seen.next;
    } while (after);
    box.querySelector("[data-go]").hidden = !sum.examined;
  }

  async function move(box) {
    const address = `/sla/policies/${box.dataset.move}/migration`;
    box.querySelector("[data-go]").hidden = true;
    const begun = await ask("POST", address, { criteria: criteria(box) });
    await follow(box, address, begun.id);
  }

  async function follow(box, address, id) {
    const result = box.querySelector("[data-result]");
    const bar = box.querySelector("progress");
    bar.hidden = false;
    for (;;) {
      const moving = (await ask("GET", address)).find((each) => each.id === id);
      bar.value = moving.total ? moving.moved / moving.total : 1;
      result.textContent = fill(result.dataset.progress, moving);
      if (moving.ended_at) break;
      await new Promise((resolve) => { setTimeout(resolve, EVERY); });
    }
    bar.value = 1;
    result.textContent += ` ${result.dataset.done}`;
  }

  document.addEventListener("click", ({ target }) => {
    const box = target.closest("[data-move]");
    const deed = target.closest("[data-look]") ? look : target.closest("[data-go]") ? move : null;
    if (!box || !deed) return;
    target.disabled = true;
    deed(box)
      .catch((error) => { box.querySelector("[data-result]").textContent = error.message || box.querySelector("[data-result]").dataset.failed; })
      .finally(() => { target.disabled = false; });
  });
})();
