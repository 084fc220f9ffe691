// Church windows: the class at every point of a plane, for three pairs of directions.
"use strict";
explorer("windows", (root, data) => {
  const { side, columns, epsilon, classes, labels } = data;
  const gap = Math.ceil(side / 40);
  const scale = Math.ceil(400 / side); // of the large window: its lines are finer than its points
  const box = root.querySelector(".windows");
  const all = root.querySelector(".windows-all canvas");
  const one = root.querySelector(".windows-one canvas");
  const [allText, oneText] = root.querySelectorAll(".readout");
  const title = root.querySelector(".one-title");
  const list = root.querySelector(".classes");
  const example = root.querySelector(".example");
  const moved = root.querySelector(".moved");
  const atPoint = root.querySelector(".at-point");
  const images = { example: null, steps: {} }; // pixels of the examples; by pair, levels of the directions
  const NO_CLASS = 255;
  const count = labels.length;
  const rows = Math.ceil(count / columns);
  const maps = {}; // by pair: the classes of all windows, a byte each, side by side
  const state = { pair: null, chosen: 0, row: (side - 1) / 2, column: (side - 1) / 2 };

  const decoded = (uri) => new Promise((done) => {
    const image = new Image();
    image.onload = () => done(image);
    image.src = uri;
  });

  async function pixelsOf(uri) {
    const image = await decoded(uri);
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return { pixels: context.getImageData(0, 0, image.width, image.height).data, width: image.width };
  }

  // The levels of a gray image, a byte each.
  async function levelsOf(uri) {
    const { pixels, width } = await pixelsOf(uri);
    const bytes = new Uint8Array(pixels.length / 4);
    for (let at = 0; at < bytes.length; at++) bytes[at] = pixels[4 * at];
    return { bytes, width };
  }

  async function mapOf(pair) {
    if (!maps[pair]) maps[pair] = await levelsOf(data.maps[pair]);
    if (data.directions && !images.steps[pair]) {
      images.example = images.example || await pixelsOf(data.examples);
      images.steps[pair] = await levelsOf(data.directions[pair].levels);
    }
    return maps[pair];
  }

  // The image at the point that is told of: x + h u + v w, h and v in units of epsilon, in gray levels.
  function showPoint() {
    if (!atPoint) return;
    const scales = data.directions[state.pair].scales[state.chosen];
    atPoint.hidden = !scales;
    if (!scales) return;
    const { bytes, width } = images.steps[state.pair];
    const size = data.pixels, area = size * size;
    const [h, v] = [state.column, state.row].map((at) => 2 * at / (side - 1) - 1);
    const [first, second] = [2 * state.chosen * width, (2 * state.chosen + 1) * width];
    const left = (state.chosen % columns) * size, top = Math.floor(state.chosen / columns) * size;
    const canvas = atPoint.querySelector("canvas");
    canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    const image = context.createImageData(size, size);
    for (let pixel = 0; pixel < area; pixel++) {
      const from = 4 * ((top + Math.floor(pixel / size)) * images.example.width + left + pixel % size);
      for (let channel = 0; channel < 3; channel++) {
        const at = Math.min(channel, data.channels - 1) * area + pixel;
        const step = h * scales[0] * (bytes[first + at] - 128) + v * scales[1] * (bytes[second + at] - 128);
        image.data[4 * pixel + channel] = images.example.pixels[from + channel] + 255 * step;
      }
      image.data[4 * pixel + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  // The class at a point of a window: row 0 is v = -epsilon, column 0 is h = -epsilon.
  function classAt(window, row, column) {
    const { bytes, width } = maps[state.pair];
    const top = Math.floor(window / columns) * side + row;
    const left = (window % columns) * side + column;
    return bytes[top * width + left];
  }

  const nameOf = (found) => (found === NO_CLASS ? "no class" : classes[found]);
  const coordinate = (at) => (epsilon * (2 * at / (side - 1) - 1));
  const signed = (value) => value.toFixed(3).replace("-", "−");

  function palette() {
    const style = getComputedStyle(document.documentElement);
    const rgb = (name) => style.getPropertyValue(name).trim().match(/\w\w/g).map((hex) => parseInt(hex, 16));
    return { right: rgb("--window-right"), none: rgb("--window-none"), ground: style.getPropertyValue("--faint"), of: (k) => rgb(`--class-${k % 10}`) };
  }

  function paint(context, window, left, top, colors) {
    const image = context.createImageData(side, side);
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const found = classAt(window, row, column);
        const color = found === NO_CLASS ? colors.none : found === labels[window] ? colors.right : colors.classes[found];
        image.data.set([...color, 255], 4 * (row * side + column));
      }
    }
    context.putImageData(image, left, top);
  }

  function drawAll() {
    const colors = palette();
    colors.classes = classes.map((_, k) => colors.of(k));
    all.width = columns * (side + gap) - gap;
    all.height = rows * (side + gap) - gap;
    const context = all.getContext("2d");
    context.fillStyle = colors.ground;
    context.fillRect(0, 0, all.width, all.height);
    for (let k = 0; k < count; k++) {
      paint(context, k, (k % columns) * (side + gap), Math.floor(k / columns) * (side + gap), colors);
    }
    drawOne();
  }

  function drawOne() {
    const colors = palette();
    colors.classes = classes.map((_, k) => colors.of(k));
    const window = new OffscreenCanvas(side, side);
    paint(window.getContext("2d"), state.chosen, 0, 0, colors);
    one.width = one.height = side * scale;
    const context = one.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(window, 0, 0, one.width, one.height);
    context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink");
    context.lineWidth = 1.5;
    const middle = one.width / 2, x = (state.column + 0.5) * scale, y = (state.row + 0.5) * scale;
    context.beginPath();
    context.arc(middle, middle, 5, 0, 2 * Math.PI);
    context.stroke();
    context.beginPath();
    context.moveTo(x, y - 11); context.lineTo(x, y + 11);
    context.moveTo(x - 11, y); context.lineTo(x + 11, y);
    context.stroke();
    tell();
  }

  function tell() {
    const found = classAt(state.chosen, state.row, state.column);
    const right = found === labels[state.chosen];
    oneText.textContent = `h ${signed(coordinate(state.column))}, v ${signed(coordinate(state.row))}: ${nameOf(found)}${right ? ", the right class" : ""}`;
    oneText.dataset.class = found;
    showPoint();
  }

  function describe() {
    const shares = new Map();
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const found = classAt(state.chosen, row, column);
        shares.set(found, (shares.get(found) || 0) + 1);
      }
    }
    const [across, down] = data.axes[state.pair];
    title.textContent = `Test image ${state.chosen + 1}, ${classes[labels[state.chosen]]}. h → ${across}; v ↓ ${down}.`;
    list.replaceChildren(...[...shares].sort((a, b) => b[1] - a[1]).map(([found, points]) => {
      const item = document.createElement("li");
      const swatch = document.createElement("i");
      swatch.style.background = found === labels[state.chosen] ? "var(--window-right)" : found === NO_CLASS ? "var(--window-none)" : `var(--class-${found % 10})`;
      item.append(swatch, `${nameOf(found)} ${(100 * points / side ** 2).toFixed(1)}%`);
      return item;
    }));
  }

  async function showExample() {
    example.hidden = !data.examples;
    moved.hidden = true;
    if (data.examples) {
      const image = await decoded(data.examples);
      const size = data.pixels;
      example.width = example.height = size;
      const left = (state.chosen % columns) * size;
      const top = Math.floor(state.chosen / columns) * size;
      example.getContext("2d").drawImage(image, left, top, size, size, 0, 0, size, size);
    }
    if (data.moved && state.chosen < data.moved.predicted.length && state.pair === "fgsm_random") {
      const image = await decoded(data.moved.image);
      const steps = data.moved.columns.length;
      const size = image.width / steps;
      moved.replaceChildren(...data.moved.columns.map((name, k) => {
        const item = document.createElement("li");
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = size;
        canvas.getContext("2d").drawImage(image, k * size, state.chosen * size, size, size, 0, 0, size, size);
        const words = document.createElement("span");
        words.textContent = `${name}: ${nameOf(data.moved.predicted[state.chosen][k])}`;
        item.append(canvas, words);
        return item;
      }));
      moved.hidden = false;
      example.hidden = true; // it is one of them
    }
  }

  function choose(window) {
    state.chosen = Math.max(0, Math.min(count - 1, window));
    root.dataset.chosen = state.chosen;
    describe();
    drawOne();
    showExample();
  }

  async function show(pair) {
    await mapOf(pair);
    state.pair = pair;
    root.dataset.pair = pair;
    for (const item of root.querySelectorAll(".findings li")) item.hidden = item.dataset.pair !== pair;
    drawAll();
    choose(state.chosen);
  }

  // Where a pointer is on a canvas, in its own pixels.
  function place(canvas, event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * canvas.width, (event.clientY - box.top) / box.height * canvas.height];
  }

  function under(event) {
    const [x, y] = place(all, event);
    const pitch = side + gap;
    const column = Math.min(Math.floor(x / pitch), columns - 1);
    const row = Math.min(Math.floor(y / pitch), rows - 1);
    const window = row * columns + column;
    if (window < 0 || window >= count) return null;
    return [window, Math.min(Math.floor(y - row * pitch), side - 1), Math.min(Math.floor(x - column * pitch), side - 1)];
  }

  all.addEventListener("pointermove", (event) => {
    const found = under(event);
    if (!found) return;
    const [window, row, column] = found;
    allText.textContent = `Image ${window + 1}, ${classes[labels[window]]}: at h ${signed(coordinate(column))}, v ${signed(coordinate(row))} ${nameOf(classAt(window, row, column))}`;
    allText.dataset.class = classAt(window, row, column);
  });
  all.addEventListener("click", (event) => { const found = under(event); if (found) choose(found[0]); });
  all.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(state.chosen + step);
    allText.textContent = title.textContent;
  });
  const within = (at) => Math.max(0, Math.min(side - 1, Math.floor(at)));
  one.addEventListener("pointermove", (event) => {
    const [x, y] = place(one, event);
    state.column = within(x / scale);
    state.row = within(y / scale);
    drawOne();
  });
  one.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const far = event.shiftKey ? 10 : 1;
    state.row = within(state.row + far * step[0]);
    state.column = within(state.column + far * step[1]);
    drawOne();
  });
  root.addEventListener("change", (event) => { if (event.target.name === "window-pair") show(event.target.value); });
  whenThemed(() => { if (state.pair) drawAll(); });
  root.querySelector(".controls").hidden = false;
  root.querySelector(".no-script").hidden = true;
  box.hidden = false;
  whenSeen(root, () => show(Object.keys(data.maps)[0]));
});
