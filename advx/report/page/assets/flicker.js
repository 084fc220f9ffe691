// Flicker: x and x + η in the same place, a magnifier, and the classes of both.
"use strict";
explorer("flicker", (root, data) => {
  const { channels, height, width, examples } = data;
  const VALUES = channels * height * width;
  const REACH = 4; // pixels that the magnifier shows beside its center
  const find = (selector) => root.querySelector(selector);
  const large = find(".large");
  const lenses = [...root.querySelectorAll(".lens")];
  const [rate, strength] = [find("[name=flicker-rate]"), find("[name=flicker-strength]")];
  const play = find(".play");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const levels = bytes(data.images);
  const view = new DataView(bytes(data.perturbations).buffer);
  const state = { example: 0, which: 0, row: height >> 1, column: width >> 1 };
  let timer = null;

  // A value of x (which = 0) or of x + η, in whole gray levels.
  function level(example, which, channel, row, column, times = 2 ** strength.value) {
    const at = example * VALUES + (channel * height + row) * width + column;
    const moved = levels[at] + (which ? times * view.getFloat32(4 * at, true) : 0);
    return Math.min(255, Math.max(0, Math.round(moved)));
  }

  const color = (which, row, column) => [0, 1, 2].map((k) => level(state.example, which, Math.min(k, channels - 1), row, column));

  function paint(canvas, example, which, times) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const made = context.createImageData(width, height);
    for (let at = 0; at < width * height; at++) {
      for (let k = 0; k < 3; k++) {
        made.data[4 * at + k] = level(example, which, Math.min(k, channels - 1), Math.floor(at / width), at % width, times);
      }
      made.data[4 * at + 3] = 255;
    }
    context.putImageData(made, 0, 0);
  }

  function showLens() {
    const side = 2 * REACH + 1;
    for (const canvas of lenses) {
      const which = +canvas.dataset.lens;
      canvas.width = canvas.height = side;
      const context = canvas.getContext("2d");
      for (let down = -REACH; down <= REACH; down++) {
        for (let right = -REACH; right <= REACH; right++) {
          const [row, column] = [state.row + down, state.column + right];
          const inside = row >= 0 && column >= 0 && row < height && column < width;
          context.fillStyle = inside ? `rgb(${color(which, row, column)})` : "transparent";
          context.clearRect(right + REACH, down + REACH, 1, 1);
          context.fillRect(right + REACH, down + REACH, 1, 1);
        }
      }
    }
    const said = [0, 1].map((which) => color(which, state.row, state.column).slice(0, channels).join(", "));
    find(".readout").textContent = `Row ${state.row}, column ${state.column}: x ${said[0]}; x + η ${said[1]}`;
  }

  function show() {
    const times = 2 ** strength.value;
    const example = examples[state.example];
    paint(large, state.example, state.which);
    showLens();
    find(`[name=flicker-shown][value="${state.which}"]`).checked = true;
    rate.nextElementSibling.textContent = rate.value;
    strength.nextElementSibling.textContent = times;
    const said = [[example.before, example.sure_before], [example.after, example.sure_after]];
    for (const item of root.querySelectorAll(".flicker-classes li")) {
      const which = +item.dataset.which;
      item.querySelector("b").textContent = said[which][0];
      item.querySelector(".figure").textContent = `${(100 * said[which][1]).toFixed(1)}%`;
      item.classList.toggle("now", which === state.which);
      item.classList.toggle("wrong", said[which][0] !== example.label);
    }
    find(".truth").textContent = `Label: ${example.label}.${times > 1 ? " The classes are those of η once." : ""}`;
    Object.assign(root.dataset, { example: state.example, which: state.which });
  }

  const flip = () => { state.which = 1 - state.which; show(); };

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  function start() {
    clearInterval(timer);
    timer = setInterval(flip, 1000 / rate.value);
    play.textContent = "Stop";
  }

  function respectMotion() {
    if (still.matches) stop();
    play.hidden = find(".flicker-rate").hidden = still.matches;
    find(".still").hidden = !still.matches;
  }

  function point(row, column) {
    state.row = Math.min(height - 1, Math.max(0, row));
    state.column = Math.min(width - 1, Math.max(0, column));
    showLens();
  }

  large.addEventListener("pointermove", (event) => {
    const box = large.getBoundingClientRect();
    point(Math.floor((event.clientY - box.top) / box.height * height), Math.floor((event.clientX - box.left) / box.width * width));
  });
  large.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    point(state.row + step[0], state.column + step[1]);
  });
  for (const radio of root.querySelectorAll("[name=flicker-shown]")) {
    radio.addEventListener("change", () => { stop(); state.which = +radio.value; show(); });
  }
  rate.addEventListener("input", () => { if (timer) start(); show(); });
  strength.addEventListener("input", show);
  play.addEventListener("click", () => { if (timer) stop(); else start(); });
  still.addEventListener("change", respectMotion);
  const buttons = examples.map((example, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Image ${at + 1}, ${example.label}`);
    const canvas = document.createElement("canvas");
    paint(canvas, at, 0);
    button.append(canvas);
    button.addEventListener("click", () => choose(at));
    return button;
  });
  find(".flicker-picks").append(...buttons);

  function choose(at) {
    state.example = at;
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", k === at));
    show();
  }

  find(".flicker").hidden = false;
  find(".flicker-table").hidden = true;
  respectMotion();
  choose(0);
  whenPrinting(() => { stop(); find(".flicker-table").hidden = false; });
});
