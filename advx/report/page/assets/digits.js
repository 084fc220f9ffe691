// Draw a digit, slide ε: what is drawn or chosen, the attack on it, and four networks' answers.
"use strict";
explorer("digits", (root, data) => {
  const { side } = data;
  const PIXELS = side * side;
  const BRUSH = 24; // in a place of 280 pixels: about as thick as MNIST's lines
  const find = (selector) => root.querySelector(selector);
  const named = (name) => find(`[name=digit-${name}]`);
  const pad = find(".pad");
  const cards = [...root.querySelectorAll(".digits-answers > li")];
  const bytes = bytesOf(data.digits);
  const images = data.labels.map((_, at) => Float32Array.from(bytes.subarray(at * PIXELS, (at + 1) * PIXELS), (level) => level / 255));
  const state = { picked: 7, strokes: [], image: images[7] };
  let networks = null, worker = null, waiting = false, counting = "", timer = 0;

  const settings = () => ({
    attacked: named("attacked").value,
    epsilon: +named("epsilon").value,
    steps: +named("steps").value,
    objective: find("[name=digit-objective]:checked").value,
    clip: named("clip").checked,
  });

  // Gray levels of an image, from low to high.
  function paint(name, values, low, high) {
    const context = find(`[data-image=${name}]`).getContext("2d");
    const made = context.createImageData(side, side);
    for (let at = 0; at < PIXELS; at++) {
      const level = values ? 255 * (values[at] - low) / (high - low) : 128;
      made.data.fill(level, 4 * at, 4 * at + 3);
      made.data[4 * at + 3] = 255;
    }
    context.putImageData(made, 0, 0);
  }

  const percent = (share) => `${(100 * share).toFixed(1)}%`;

  // What a network says of x and of x + η.
  function answer(card, before, after, label) {
    const [was, is] = [largestOf(before), largestOf(after)];
    Object.assign(card.dataset, { before: was, after: is });
    const text = card.querySelector(".answer");
    text.className = `answer ${is === label ? "kept" : "lost"}`;
    const now = document.createElement("b");
    now.textContent = is;
    text.replaceChildren(`${was} (${percent(before[was])}) → `, now, ` (${percent(after[is])})`);
    [...card.querySelectorAll(".bars li")].forEach((bar, k) => {
      bar.style.setProperty("--before", before[k]);
      bar.style.setProperty("--after", after[k]);
      bar.classList.toggle("right", k === label);
      bar.title = `${k}: ${percent(before[k])} before, ${percent(after[k])} after`;
    });
  }

  function compute() {
    const set = settings();
    find("[data-of=epsilon]").textContent = set.epsilon.toFixed(3).replace(/0$/, "");
    find("[data-of=steps]").textContent = set.steps === 1 ? "one" : set.steps;
    for (const button of root.querySelectorAll("[data-preset]")) button.setAttribute("aria-pressed", isPreset(button.dataset.preset, set));
    for (const card of cards) card.classList.toggle("attacked", card.dataset.kind === set.attacked);
    count(set);
    const image = state.image;
    root.classList.toggle("empty", !image);
    if (!image) {
      for (const name of ["clean", "perturbation", "perturbed"]) paint(name, null);
      root.dataset.label = "";
      return;
    }
    const network = networks[set.attacked];
    const said = named("label").value;
    const label = said === "" ? largestOf(network.logits(image)) : +said;
    const began = performance.now();
    const perturbed = attack(network, image, label, set);
    const took = performance.now() - began;
    const [low, high] = set.clip ? [0, 1] : [-set.epsilon, 1 + set.epsilon];
    paint("clean", image, low, high);
    paint("perturbed", perturbed, low, high);
    const reach = set.epsilon || 1;
    paint("perturbation", perturbed.map((value, at) => value - image[at]), -reach, reach);
    for (const card of cards) {
      const one = networks[card.dataset.kind];
      const before = softmax(one.logits(image)).shares;
      answer(card, before, softmax(one.logits(perturbed)).shares, label);
    }
    Object.assign(root.dataset, { label, took: took.toFixed(1), shown: JSON.stringify(set) });
  }

  // Once for each frame, however many events come.
  function changed() {
    if (waiting || !networks) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; compute(); });
  }

  // The counter: in a worker, after the reader's hand has rested.
  function count(set) {
    const id = JSON.stringify(set);
    if (!worker || id === counting) return;
    counting = id;
    clearTimeout(timer);
    for (const card of cards) card.querySelector(".count").classList.add("stale");
    timer = setTimeout(() => worker.postMessage({ ...set, id }), 200);
  }

  function counted({ data: { id, errors, count: done } }) {
    if (id !== counting) return;
    const whole = done === images.length;
    for (const card of cards) {
      card.querySelector(".count").classList.toggle("stale", !whole);
      card.querySelector(".count b").textContent = errors[card.dataset.kind];
      card.querySelector(".count span").textContent = `of ${done} test digits wrong`;
    }
    if (whole) root.dataset.counted = id;
  }

  function startWorker(weights) {
    const source = ["digits-engine", "digits-counter"].map((id) => document.getElementById(id).textContent);
    try {
      const url = URL.createObjectURL(new Blob(source, { type: "text/javascript" }));
      worker = new Worker(url);
      worker.onmessage = counted;
      worker.postMessage({ networks: data.networks, weights, images, labels: data.labels });
    } catch {
      find(".counted").textContent = "This browser starts no workers for the page, so nothing is counted.";
    }
  }

  const PRESETS = {
    cost: { attacked: "smoothed", steps: 1, objective: "training_cost" },
    odds: { attacked: "smoothed", steps: +named("steps").max, objective: "log_odds" },
  };
  const isPreset = (name, set) => Object.entries(PRESETS[name]).every(([key, value]) => set[key] === value);

  function preset(name) {
    const { attacked, steps, objective } = PRESETS[name];
    named("attacked").value = attacked;
    named("steps").value = steps;
    find(`[name=digit-objective][value=${objective}]`).checked = true;
    changed();
  }

  // The place to draw.
  const ink = new OffscreenCanvas(pad.width, pad.height).getContext("2d", { willReadFrequently: true });

  function showPad() {
    const context = pad.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, pad.width, pad.height);
    if (state.picked !== null) {
      context.imageSmoothingEnabled = false;
      context.drawImage(pickButtons[state.picked].firstChild, 0, 0, pad.width, pad.height);
    } else {
      context.drawImage(ink.canvas, 0, 0);
    }
    if (!state.image) {
      context.fillStyle = "#aaa";
      context.font = "20px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText("draw a digit here", pad.width / 2, pad.height / 2);
    }
  }

  function readPad() {
    const pixels = ink.getImageData(0, 0, pad.width, pad.height).data;
    state.image = mnistForm(Float32Array.from({ length: pad.width * pad.height }, (_, at) => pixels[4 * at + 3] / 255), pad.width, pad.height);
    showPad();
    changed();
  }

  function clear() {
    ink.clearRect(0, 0, pad.width, pad.height);
    Object.assign(state, { picked: null, image: null });
    named("label").value = "";
    for (const button of pickButtons) button.setAttribute("aria-pressed", "false");
    showPad();
    changed();
  }

  function placeOf(event) {
    const box = pad.getBoundingClientRect();
    return [(event.clientX - box.left) * pad.width / box.width, (event.clientY - box.top) * pad.height / box.height];
  }

  function line(from, to) {
    ink.strokeStyle = ink.fillStyle = "#fff";
    ink.lineWidth = BRUSH;
    ink.lineCap = "round";
    ink.beginPath();
    ink.moveTo(...from);
    ink.lineTo(...to);
    ink.stroke();
    ink.beginPath(); // a line without length is not drawn
    ink.arc(...to, BRUSH / 2, 0, 7);
    ink.fill();
  }

  let last = null;
  pad.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    if (state.picked !== null) clear();
    pad.setPointerCapture(event.pointerId);
    last = placeOf(event);
    line(last, last);
    readPad();
  });
  pad.addEventListener("pointermove", (event) => {
    if (!last) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const place = placeOf(one);
      line(last, place);
      last = place;
    }
    readPad();
  });
  for (const kind of ["pointerup", "pointercancel"]) pad.addEventListener(kind, () => { last = null; });

  const pickButtons = Array.from({ length: 10 }, (_, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Test digit, a ${data.labels[at]}`);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    const made = context.createImageData(side, side);
    for (let k = 0; k < PIXELS; k++) {
      made.data.fill(255 * images[at][k], 4 * k, 4 * k + 3);
      made.data[4 * k + 3] = 255;
    }
    context.putImageData(made, 0, 0);
    button.append(canvas);
    button.addEventListener("click", () => pick(at));
    return button;
  });
  find(".digits-picks").append(...pickButtons);

  function pick(at) {
    Object.assign(state, { picked: at, image: images[at] });
    ink.clearRect(0, 0, pad.width, pad.height);
    named("label").value = data.labels[at];
    pickButtons.forEach((button, k) => button.setAttribute("aria-pressed", k === at));
    showPad();
    changed();
  }

  find(".clear").addEventListener("click", clear);
  for (const button of root.querySelectorAll("[data-preset]")) button.addEventListener("click", () => preset(button.dataset.preset));
  root.addEventListener("input", changed);
  root.addEventListener("change", changed);
  find(".digits").hidden = false;
  find(".no-script").hidden = true;
  pick(state.picked);
  whenSeen(root, async () => {
    const weights = {}, made = {};
    for (const [kind, network] of Object.entries(data.networks)) {
      weights[kind] = await inflated(document.getElementById(`digits-weights-${kind}`).textContent, network.bytes);
      made[kind] = new Network(network, weights[kind]);
    }
    networks = made;
    startWorker(weights);
    changed();
  });
});
