// A drawing brought to the form of MNIST's digits, as they were made.
"use strict";

// Ink (width * height, 0 to 1) to 784 gray levels from 0 to 1; null where nothing is drawn.
// The black-and-white image is scaled into a box of 20 x 20, its sides in proportion; a pixel there is
// the share of its area that is ink. The center of mass then moves to the center of 28 x 28.
function mnistForm(ink, width, height) {
  const SIDE = 28, BOX = 20;
  let left = width, right = -1, top = height, bottom = -1;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (ink[at] < 0.5) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  if (right < 0) return null;
  const cell = Math.max(right - left + 1, bottom - top + 1) / BOX; // a pixel of the box, in pixels of the drawing
  const rows = Array.from({ length: bottom - top + 1 }, (_, at) => shared(at, cell, BOX));
  const columns = Array.from({ length: right - left + 1 }, (_, at) => shared(at, cell, BOX));
  const box = new Float64Array(BOX * BOX);
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      if (ink[y * width + x] < 0.5) continue;
      for (const [row, tall] of rows[y - top]) {
        for (const [column, wide] of columns[x - left]) box[row * BOX + column] += tall * wide;
      }
    }
  }
  let mass = 0, across = 0, down = 0;
  for (let at = 0; at < box.length; at++) {
    mass += box[at];
    across += box[at] * (at % BOX);
    down += box[at] * Math.floor(at / BOX);
  }
  // Whole pixels, so that the center of mass comes to lie within half a pixel of (14, 14); of two the first.
  const toCenter = (at) => Math.ceil(SIDE / 2 - 0.5 - at - 1e-6);
  const toRight = toCenter(across / mass), toBottom = toCenter(down / mass);
  const made = new Float32Array(SIDE * SIDE);
  for (let at = 0; at < box.length; at++) {
    const column = (at % BOX) + toRight, row = Math.floor(at / BOX) + toBottom;
    if (column < 0 || row < 0 || column >= SIDE || row >= SIDE) continue;
    made[row * SIDE + column] = Math.round(255 * Math.min(1, box[at])) / 255;
  }
  return made;
}

// Of a source pixel from `at` to `at + 1`: the cells of length `cell` that it lies in, each with the
// share of the cell that it covers.
function shared(at, cell, count) {
  const parts = [];
  for (let k = Math.floor(at / cell); k < count && k * cell < at + 1; k++) {
    const covered = Math.min(at + 1, (k + 1) * cell) - Math.max(at, k * cell);
    if (covered > 0) parts.push([k, covered / cell]);
  }
  return parts;
}
