// Games in motion: one slider over the epochs of every game whose snapshots are stored.
"use strict";
explorer("motion", (root, data) => {
  const stage = root.querySelector(".stage");
  const select = root.querySelector("select");
  const slider = root.querySelector("input[type=range]");
  const output = root.querySelector("output");
  const play = root.querySelector(".play");
  const OUTSIDE = 255, LEVELS = 254;
  let game = null, timer = null, draw = () => {};

  function images() {
    const view = document.createElement("div");
    view.className = "frames";
    view.setAttribute("role", "img");
    view.style.aspectRatio = `${game.width} / ${game.height}`;
    view.style.backgroundImage = `url(${game.image})`;
    view.style.backgroundSize = `100% ${100 * game.epochs.length}%`;
    stage.replaceChildren(view);
    draw = (at) => {
      const last = game.epochs.length - 1;
      view.style.backgroundPosition = `0 ${last ? 100 * at / last : 0}%`;
      view.setAttribute("aria-label", `${game.shown} samples at epoch ${game.epochs[at]}`);
    };
  }

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  function points() {
    const real = bytes(game.data);
    const panels = game.panels.map((panel) => {
      const figure = document.createElement("figure");
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 320;
      canvas.setAttribute("role", "img");
      const caption = document.createElement("figcaption");
      figure.append(canvas, caption);
      return { panel, figure, canvas, caption, points: bytes(panel.points) };
    });
    const row = document.createElement("div");
    row.className = "points";
    row.append(...panels.map(({ figure }) => figure));
    stage.replaceChildren(row);
    draw = (at) => {
      const style = getComputedStyle(document.documentElement);
      for (const { panel, canvas, caption, points: all } of panels) {
        const context = canvas.getContext("2d");
        context.clearRect(0, 0, canvas.width, canvas.height);
        const dots = (list, from, to, radius, color) => {
          context.fillStyle = color;
          for (let k = from; k < to; k++) {
            if (list[2 * k] === OUTSIDE) continue;
            context.beginPath();
            context.arc(list[2 * k] / LEVELS * canvas.width, (1 - list[2 * k + 1] / LEVELS) * canvas.height, radius, 0, 7);
            context.fill();
          }
        };
        dots(real, 0, real.length / 2, 1.6, style.getPropertyValue("--faint"));
        dots(all, at * panel.count, (at + 1) * panel.count, 1.9, style.getPropertyValue("--s0"));
        const modes = panel.modes ? `, ${panel.modes[at]} of ${game.of} modes` : "";
        const outside = panel.outside[at] ? `; ${panel.outside[at]} of ${panel.count} points lie outside` : "";
        caption.textContent = `Batch normalization ${panel.place.startsWith("in ") ? "" : "in "}${panel.place}${modes}${outside}`;
        canvas.setAttribute("aria-label", `Generated points at epoch ${game.epochs[at]}`);
      }
    };
  }

  function show(at) {
    slider.value = at;
    output.textContent = game.epochs[at];
    root.dataset.epoch = game.epochs[at];
    draw(at);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  function choose(which) {
    stop();
    game = data.games[which];
    slider.max = game.epochs.length - 1;
    if (game.kind === "images") images(); else points();
    show(game.epochs.length - 1);
  }

  select.addEventListener("change", () => choose(select.value));
  slider.addEventListener("input", () => { stop(); show(+slider.value); });
  play.addEventListener("click", () => {
    if (timer) { stop(); return; }
    play.textContent = "Stop";
    if (+slider.value === +slider.max) show(0);
    timer = setInterval(() => {
      if (+slider.value >= +slider.max) stop(); else show(+slider.value + 1);
    }, 350);
  });
  whenThemed(() => { if (game) show(+slider.value); });
  root.querySelector(".controls").hidden = false;
  root.querySelector(".no-script").hidden = true;
  whenSeen(root, () => choose(0));
});
