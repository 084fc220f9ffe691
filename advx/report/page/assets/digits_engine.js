// Networks in plain JavaScript: logits, input gradient and attacks. It also runs in a worker of its own.
"use strict";

function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

// Little-endian, whatever the machine is.
function floatsOf(text) {
  const view = new DataView(bytesOf(text).buffer);
  return Float32Array.from({ length: view.byteLength / 4 }, (_, at) => view.getFloat32(4 * at, true));
}

// Text of 91 characters, two for 13 bits, to so many bytes.
function denseBytes(text, count) {
  const FIRST = 33, LAST = 126, BITS = 13;
  const values = new Uint8Array(LAST + 1);
  let base = 0;
  for (let code = FIRST; code <= LAST; code++) if (!'"&<'.includes(String.fromCharCode(code))) values[code] = base++;
  const bytes = new Uint8Array(count);
  let buffer = 0, held = 0;
  for (let at = 0, to = 0; at < text.length; at += 2) {
    buffer |= (values[text.charCodeAt(at)] + base * values[text.charCodeAt(at + 1)]) << held;
    for (held += BITS; held >= 8 && to < bytes.length; held -= 8) {
      bytes[to++] = buffer & 255;
      buffer >>>= 8;
    }
  }
  return bytes;
}

// The weights of a network's layers, eight bits each, column after column.
async function inflated(text, count) {
  const stream = new Blob([denseBytes(text, count)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Int8Array(await new Response(stream).arrayBuffer());
}

// An affine layer under a maximum: row p * units + u of its weights is piece p of unit u.
class Layer {
  constructor({ rows, columns, pieces, scales, bias }, whole) {
    const scale = floatsOf(scales);
    Object.assign(this, { rows, columns, pieces, units: rows / pieces, bias: floatsOf(bias) });
    this.weights = new Float32Array(rows * columns);
    for (let row = 0, at = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, at++) this.weights[at] = whole[column * rows + row] * scale[row];
    }
    this.values = new Float64Array(rows);
    this.output = new Float64Array(this.units);
    this.largest = new Int32Array(this.units); // the row that each unit's maximum comes from
    this.slope = new Float64Array(columns);
  }

  // Four rows at a time: each component of x is read once for them, and no sum waits for another.
  forward(x) {
    const { rows, columns, weights, bias, values, units, output, largest } = this;
    let row = 0;
    for (; row + 4 <= rows; row += 4) {
      const a = row * columns, b = a + columns, c = b + columns, d = c + columns;
      let first = bias[row], second = bias[row + 1], third = bias[row + 2], fourth = bias[row + 3];
      for (let k = 0; k < columns; k++) {
        const value = x[k];
        first += weights[a + k] * value;
        second += weights[b + k] * value;
        third += weights[c + k] * value;
        fourth += weights[d + k] * value;
      }
      values[row] = first;
      values[row + 1] = second;
      values[row + 2] = third;
      values[row + 3] = fourth;
    }
    for (; row < rows; row++) {
      let sum = bias[row];
      for (let k = 0, at = row * columns; k < columns; k++) sum += weights[at + k] * x[k];
      values[row] = sum;
    }
    for (let unit = 0; unit < units; unit++) {
      let top = unit;
      for (let other = unit + units; other < rows; other += units) if (values[other] > values[top]) top = other;
      largest[unit] = top;
      output[unit] = values[top];
    }
    return output;
  }

  // The gradient goes to the largest piece alone.
  backward(outer) {
    const { columns, weights, largest, slope, units } = this;
    slope.fill(0);
    for (let unit = 0; unit < units; unit++) {
      const factor = outer[unit];
      if (factor === 0) continue;
      for (let k = 0, at = largest[unit] * columns; k < columns; k++) slope[k] += factor * weights[at + k];
    }
    return slope;
  }
}

class Network {
  constructor({ layers, targets }, weights) {
    let from = 0;
    this.layers = layers.map((layer) => {
      const to = from + layer.rows * layer.columns;
      const made = new Layer(layer, weights.subarray(from, to));
      from = to;
      return made;
    });
    this.pixels = new Float64Array(this.layers[0].columns); // layers of one type only are faster
    this.targets = targets; // of its training cost: of the correct class, and of each other one
  }

  // Pixels in memory of 784 numbers, to ten logits in memory that the next call uses again.
  logits(x) {
    this.pixels.set(x);
    let values = this.pixels;
    for (const layer of this.layers) values = layer.forward(values);
    return values;
  }

  // What the attack ascends: its value, and its gradient on the pixels where asked for.
  evaluated(x, label, objective, withGradient = true) {
    const logits = this.logits(x);
    const soft = objective === "training_cost" && this.targets[1] > 0;
    const { value, outer } = soft ? smoothedCost(logits, label, this.targets) : logOdds(logits, label);
    const success = largestOf(logits) !== label;
    if (!withGradient) return { value, success };
    let slope = outer;
    for (let at = this.layers.length - 1; at >= 0; at--) slope = this.layers[at].backward(slope);
    return { value, success, slope };
  }
}

function largestOf(values) {
  let top = 0;
  for (let k = 1; k < values.length; k++) if (values[k] > values[top]) top = k;
  return top;
}

function softmax(logits, without = -1) {
  let top = -Infinity;
  for (let k = 0; k < logits.length; k++) if (k !== without && logits[k] > top) top = logits[k];
  const shares = new Float64Array(logits.length);
  let sum = 0;
  for (let k = 0; k < logits.length; k++) if (k !== without) sum += shares[k] = Math.exp(logits[k] - top);
  for (let k = 0; k < logits.length; k++) shares[k] /= sum;
  return { shares, log: top + Math.log(sum) };
}

// log P(not y) - log P(y). The cross-entropy of the hard label has the same direction.
function logOdds(logits, label) {
  const { shares, log } = softmax(logits, label);
  shares[label] = -1;
  return { value: log - logits[label], outer: shares };
}

// The cross-entropy against smoothed targets; they need not sum to one.
function smoothedCost(logits, label, [correct, other]) {
  const { shares, log } = softmax(logits);
  const total = correct + other * (logits.length - 1);
  let value = total * log;
  for (let k = 0; k < logits.length; k++) {
    const target = k === label ? correct : other;
    value -= target * logits[k];
    shares[k] = total * shares[k] - target;
  }
  return { value, outer: shares };
}

// One step of the fast gradient sign method, or the best point of an iterated ascent in the ball.
function attack(network, image, label, { epsilon, steps, objective, clip }) {
  const { value, success, slope } = network.evaluated(image, label, objective);
  const fast = moved(image, slope, epsilon, image, Infinity, clip);
  if (steps === 1) return fast;
  const best = { value, success, point: image };
  let certain = success ? image : null; // a success, should the best value be none
  const offer = (point, { value: here, success: won }) => {
    const better = here > best.value || (here === best.value && won && !best.success);
    if (better) Object.assign(best, { value: here, success: won, point: point.slice() });
  };
  const one = network.evaluated(fast, label, objective, false);
  offer(fast, one);
  if (one.success) certain = fast;
  let x = image;
  for (let step = 0; step < steps; step++) {
    const found = network.evaluated(x, label, objective);
    offer(x, found);
    x = moved(x, found.slope, 2.5 * epsilon / steps, image, epsilon, clip);
  }
  offer(x, network.evaluated(x, label, objective, false));
  return best.success || !certain ? best.point : certain;
}

// A step along the sign of the gradient, back into the ball around the image, and into the range.
function moved(x, slope, length, image, radius, clip) {
  const made = new Float32Array(x.length);
  for (let k = 0; k < made.length; k++) {
    let away = x[k] + length * Math.sign(slope[k]) - image[k];
    if (away > radius) away = radius; else if (away < -radius) away = -radius;
    const value = image[k] + away;
    made[k] = clip ? Math.min(1, Math.max(0, value)) : value;
  }
  return made;
}
