// Logits along a direction: the image at each ε, its class, and what the tangents say.
"use strict";
explorer("logits", (root, data) => {
  const { classes, sizes, shape: [channels, height, width] } = data;
  const SHOWN = 4;
  const find = (selector) => root.querySelector(selector);
  const slider = find("[name=logits-at]");
  const here = find(".here");
  const canvas = find("canvas");
  const floats = (text) => {
    const view = new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
    return Float32Array.from({ length: view.byteLength / 4 }, (_, at) => view.getFloat32(4 * at, true));
  };
  const [logits, tangents, image, sign] = ["logits", "tangents", "image", "sign"].map((name) => floats(data[name]));
  const largest = Math.max(...sizes.map(Math.abs));

  const number = (value) => value.toFixed(2).replace("-", "−");
  const row = (values, at) => values.subarray(at * classes.length, (at + 1) * classes.length);
  const top = (values) => values.reduce((best, value, k) => (value > values[best] ? k : best), 0);

  // Gray levels from the smallest to the largest value that any ε can give.
  function paint(size) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const made = context.createImageData(width, height);
    for (let at = 0; at < width * height; at++) {
      for (let k = 0; k < 3; k++) {
        const from = Math.min(k, channels - 1) * width * height + at;
        made.data[4 * at + k] = 255 * (image[from] + size * sign[from] + largest) / (1 + 2 * largest);
      }
      made.data[4 * at + 3] = 255;
    }
    context.putImageData(made, 0, 0);
  }

  function show() {
    const at = +slider.value;
    const size = sizes[at];
    const [curve, tangent] = [row(logits, at), row(tangents, at)];
    const [said, linear] = [top(curve), top(tangent)];
    const x = data.left + at / (sizes.length - 1) * (data.right - data.left);
    here.setAttribute("x1", x);
    here.setAttribute("x2", x);
    slider.nextElementSibling.textContent = size.toFixed(3).replace("-", "−");
    slider.setAttribute("aria-valuetext", `ε = ${size}, class ${classes[said]}`);
    paint(size);
    const text = find(".said");
    text.className = `said ${said === data.label ? "kept" : "lost"}`;
    const name = document.createElement("b");
    name.textContent = classes[said];
    text.replaceChildren("The network says ", name, linear === said ? ", and so do the tangents." : `, the tangents ${classes[linear]}.`);
    const order = [...curve.keys()].sort((a, b) => curve[b] - curve[a]).slice(0, SHOWN);
    find("tbody").replaceChildren(...order.map((k) => {
      const line = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = classes[k];
      line.append(head, ...[curve[k], tangent[k]].map((value) => {
        const cell = document.createElement("td");
        cell.className = "num";
        cell.textContent = number(value);
        return cell;
      }));
      return line;
    }));
    Object.assign(root.dataset, { at, class: said, tangent: linear });
  }

  slider.addEventListener("input", show);
  here.removeAttribute("hidden");
  for (const part of root.querySelectorAll(".controls, .logits-side")) part.hidden = false;
  show();
});
