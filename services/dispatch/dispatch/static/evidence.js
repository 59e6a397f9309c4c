"use strict";
// Photos and signatures, made on the phone of who has the ticket. What is made is given to `phone.js`, which keeps it
// and sends it; what waits, and what the server did not take, is shown here.
(() => {
  const phone = window.aftercarePhone;
  if (!phone) return;
  const LONG_SIDE = 2048; // pixels; the server keeps no more, so no more has to be kept and sent
  const [WIDTH, HEIGHT] = [1000, 400]; // of the sheet a signature is drawn on
  const MOST_POINTS = 9000;

  const here = () => document.querySelector("[data-evidence]");
  const say = (text) => {
    const trouble = here()?.querySelector("[data-trouble]");
    if (!trouble) return;
    trouble.textContent = text;
    trouble.hidden = !text;
  };

  // --- Photos ---

  /** Smaller, the right way up and without what the camera wrote beside it; as it was where this browser cannot. */
  async function shrunk(file) {
    const original = new Blob([await file.arrayBuffer()], { type: file.type }); // the file itself may be gone later
    try {
      const image = await createImageBitmap(original, { imageOrientation: "from-image" });
      const scale = Math.min(1, LONG_SIDE / Math.max(image.width, image.height));
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [Math.max(1, Math.round(image.width * scale)), Math.max(1, Math.round(image.height * scale))];
      const pen = canvas.getContext("2d");
      pen.fillStyle = "#fff";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(image, 0, 0, canvas.width, canvas.height);
      image.close();
      return (await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85))) ?? original;
    } catch {
      return original; // the server says what is wrong with it
    }
  }

  async function photographed(input) {
    const place = here();
    const [kind, caption] = [place.querySelector("#photo_kind").value, place.querySelector("#photo_caption")];
    const files = [...input.files];
    say("");
    for (const file of files) {
      try {
        const blob = await shrunk(file);
        const roomy = await phone.keepPiece(place.dataset.evidence, place.dataset.version, { what: "photo", kind, caption: caption.value.trim(), blob, size: blob.size });
        if (!roomy) say(place.dataset.full);
      } catch {
        say(place.dataset.unread);
      }
    }
    input.value = "";
    caption.value = "";
  }

  // --- The signature ---

  const drawn = new WeakMap(); // strokes by sheet

  function draw(sheet) {
    const ratio = devicePixelRatio || 1;
    [sheet.width, sheet.height] = [sheet.clientWidth * ratio, sheet.clientHeight * ratio];
    const pen = sheet.getContext("2d");
    pen.scale(sheet.width / WIDTH, sheet.height / HEIGHT);
    Object.assign(pen, { lineWidth: 6, lineCap: "round", lineJoin: "round", strokeStyle: "#123" });
    for (const [first, ...rest] of drawn.get(sheet) ?? []) {
      pen.beginPath();
      pen.moveTo(...first);
      for (const point of rest.length ? rest : [first]) pen.lineTo(...point);
      pen.stroke();
    }
  }

  function pointOf(sheet, event) {
    const box = sheet.getBoundingClientRect();
    const within = (value, most) => Math.max(0, Math.min(most, Math.round(value * most)));
    return [within((event.clientX - box.left) / box.width, WIDTH), within((event.clientY - box.top) / box.height, HEIGHT)];
  }

  function begin(event) {
    const sheet = event.target.closest?.("[data-sheet]");
    if (!sheet) return;
    event.preventDefault();
    sheet.setPointerCapture(event.pointerId);
    drawn.set(sheet, [...(drawn.get(sheet) ?? []), [pointOf(sheet, event)]]);
    draw(sheet);
  }

  function go(event) {
    const sheet = event.target.closest?.("[data-sheet]");
    if (!sheet?.hasPointerCapture?.(event.pointerId)) return;
    const strokes = drawn.get(sheet);
    if (!strokes || strokes.flat().length >= MOST_POINTS) return;
    const [stroke, point] = [strokes.at(-1), pointOf(sheet, event)];
    if (String(stroke.at(-1)) !== String(point)) stroke.push(point);
    draw(sheet);
  }

  /** The words that are signed: what stands in the form, else what was kept of it, else what the server has. */
  async function noteOf(place) {
    const written = document.querySelector("#resolve:not([hidden]) #work_note")?.value.trim();
    if (written) return written;
    const finished = (await phone.kept()).filter(({ ticket_id: id, form }) => id === place.dataset.evidence && form.work_note).pop();
    return finished?.form.work_note.trim() || place.dataset.note;
  }

  async function showNote() {
    const place = here();
    if (!place) return;
    place.querySelector("[data-signed-note]").textContent = (await noteOf(place)) || place.dataset.unwritten;
  }

  async function sign() {
    const place = here();
    const [sheet, name] = [place.querySelector("[data-sheet]"), place.querySelector("#signer")];
    const [strokes, signer, work_note] = [drawn.get(sheet) ?? [], name.value.trim(), await noteOf(place)];
    const across = (axis) => Math.max(...strokes.flat().map((point) => point[axis])) - Math.min(...strokes.flat().map((point) => point[axis]));
    if (!work_note) return say(place.dataset.unwritten);
    if (!signer) return say(place.dataset.unnamed);
    if (!strokes.length || Math.max(across(0), across(1)) < 60) return say(place.dataset.unsigned);
    const size = JSON.stringify(strokes).length;
    const roomy = await phone.keepPiece(place.dataset.evidence, place.dataset.version, { what: "signature", signer, work_note, strokes, size });
    say(roomy ? "" : place.dataset.full);
    name.value = "";
    wipe(sheet);
    place.querySelector("#sign").open = false;
  }

  function wipe(sheet) {
    drawn.delete(sheet);
    draw(sheet);
  }

  // --- Parts that were built in ---

  async function book(button) {
    const [place, held] = [here(), button.closest("[data-requisition]")];
    const lines = [...held.querySelectorAll("[data-part]")].map(({ dataset, valueAsNumber }) => ({ part_number: dataset.part, quantity: valueAsNumber }));
    if ([...held.querySelectorAll("input")].some((input) => !input.reportValidity() || Number.isNaN(input.valueAsNumber))) return;
    const used = lines.filter(({ quantity }) => quantity > 0);
    const text = used.length ? `${held.dataset.words}: ${used.map((line) => `${line.part_number} × ${line.quantity}`).join(", ")}` : held.dataset.back;
    const { requisition, requisitionVersion: version } = held.dataset;
    booked.add(requisition);
    await phone.keepPiece(place.dataset.evidence, place.dataset.version, { what: "parts", requisition, version, lines: used, text, size: text.length });
  }

  // --- What is kept on this phone ---

  const booked = new Set(); // requisitions that this page has told the parts desk of
  const looks = new Map(); // by id: photos as addresses that the page may show

  function look(piece) {
    if (!looks.has(piece.id)) {
      const reader = new FileReader();
      looks.set(piece.id, new Promise((done) => (reader.onload = () => done(reader.result))));
      reader.readAsDataURL(piece.blob);
    }
    return looks.get(piece.id);
  }

  async function queued(pieces) {
    const place = here();
    if (!place) return;
    const list = place.querySelector("[data-queue]");
    const shown = pieces.filter((piece) => piece.ticket_id === place.dataset.evidence);
    for (const held of document.querySelectorAll("[data-requisition]")) {
      held.hidden = booked.has(held.dataset.requisition) || shown.some(({ requisition, problem }) => requisition === held.dataset.requisition && !problem);
    }
    const items = await Promise.all(shown.map((piece) => itemOf(piece, place.dataset)));
    list.replaceChildren(...items);
    list.hidden = !items.length;
    for (const id of looks.keys()) if (!pieces.some((piece) => piece.id === id)) looks.delete(id);
  }

  async function itemOf(piece, words) {
    const item = document.createElement("li");
    const part = (name, text) => Object.assign(item.appendChild(document.createElement(name)), { textContent: text });
    if (piece.blob) Object.assign(part("img", ""), { src: await look(piece), alt: words.photo });
    part("strong", piece.text ?? (piece.what === "photo" ? words.photo : words.signature));
    part("small", ` ${words.size.replace("{}", Math.max(0.01, (piece.size ?? 0) / 1e6).toFixed(2))} · ${piece.problem ? `${words.refused}: ${piece.problem}` : words.next}`);
    if (piece.problem) {
      const button = Object.assign(part("button", words.drop), { type: "button" });
      button.addEventListener("click", () => {
        booked.delete(piece.requisition);
        void phone.dropPiece(piece).then(phone.show);
      });
    }
    return item;
  }

  /** What has arrived, as the server shows it; what is being written meanwhile stays as it is. */
  async function refresh() {
    const shown = document.getElementById("shown");
    if (!shown || !navigator.onLine) return;
    const response = await fetch(location.pathname, { headers: { accept: "text/html" } });
    if (!response.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    document.getElementById("shown")?.replaceWith(page.getElementById("shown") ?? shown);
  }

  // --- Being ready ---

  document.addEventListener("change", ({ target }) => target.matches("[data-camera]") && void photographed(target));
  document.addEventListener("pointerdown", begin);
  document.addEventListener("pointermove", go);
  document.addEventListener("click", ({ target }) => {
    const booking = target.closest("[data-book]");
    if (booking) void book(booking);
    else if (target.closest("[data-sign]")) void sign();
    else if (target.closest("[data-wipe]")) wipe(here().querySelector("[data-sheet]"));
  });
  // Telephones of one maker know no `geo:` addresses, but have their own for the same.
  const isApple = /iPhone|iPad|Macintosh/.test(navigator.userAgent);
  document.addEventListener("click", (event) => {
    const link = isApple && event.target.closest("a[data-apple]");
    if (link) link.href = link.dataset.apple;
  }, true);
  document.addEventListener("input", ({ target }) => target.id === "work_note" && void showNote());
  document.addEventListener("toggle", ({ target }) => {
    if (target.id !== "sign" || !target.open) return;
    void showNote();
    draw(target.querySelector("[data-sheet]"));
  }, true);
  addEventListener("aftercare:pieces", ({ detail }) => void queued(detail));
  addEventListener("aftercare:brought", () => void refresh().catch(() => null));
  void phone.show();
})();
