// Blurred previews, from some 25 bytes each: a reader of the ThumbHash format, version 1
// (evanw.github.io/thumbhash): a discrete cosine transform of luminance, two opponent colours, and
// alpha, in nibbles.

const LONGEST = 32;

/** Paint a preview (base64) onto a canvas, which takes on its size; one that is broken paints nothing. */
export function paint(canvas, hash) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(hash), (letter) => letter.charCodeAt(0));
  } catch {
    return;
  }
  if (bytes.length < 6) return;
  const image = decode(bytes);
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function decode(bytes) {
  const head = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
  const tail = bytes[3] | (bytes[4] << 8);
  const hasAlpha = Boolean(head >> 23);
  const isLandscape = Boolean(tail >> 15);
  const long = hasAlpha ? 5 : 7;
  const short = tail & 7;
  const [across, down] = isLandscape ? [long, short] : [short, long];

  const nibbles = nibblesOf(bytes, hasAlpha ? 6 : 5);
  const luminance = channel(nibbles, {
    constant: (head & 63) / 63,
    scale: ((head >> 18) & 31) / 31,
    across: Math.max(3, across),
    down: Math.max(3, down),
  });
  // Quantization costs saturation, which 1.25 makes up for.
  const yellowBlue = channel(nibbles, {
    constant: ((head >> 6) & 63) / 31.5 - 1, scale: (((tail >> 3) & 63) / 63) * 1.25, across: 3, down: 3,
  });
  const redGreen = channel(nibbles, {
    constant: ((head >> 12) & 63) / 31.5 - 1, scale: (((tail >> 9) & 63) / 63) * 1.25, across: 3, down: 3,
  });
  const alpha = hasAlpha
    ? channel(nibbles, { constant: (bytes[5] & 15) / 15, scale: (bytes[5] >> 4) / 15, across: 5, down: 5 })
    : { constant: 1, terms: [] };

  const ratio = across / down || 1;
  const width = Math.max(1, Math.round(ratio > 1 ? LONGEST : LONGEST * ratio));
  const height = Math.max(1, Math.round(ratio > 1 ? LONGEST / ratio : LONGEST));
  const [columns, lines] = [waves(width), waves(height)];
  const image = new ImageData(width, height);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 4) {
      const [l, p, q, a] = [luminance, yellowBlue, redGreen, alpha].map((of) => valueAt(of, columns[x], lines[y]));
      const blue = l - (2 / 3) * p;
      const red = (3 * l - blue + q) / 2;
      image.data.set([255 * red, 255 * (red - q), 255 * blue, 255 * a], at);
    }
  }
  return image;
}

/** Yield 4 bits at a time, the lower ones of each byte first. */
function* nibblesOf(bytes, start) {
  for (let n = start; n < bytes.length; n += 1) {
    yield bytes[n] & 15;
    yield bytes[n] >> 4;
  }
}

/** Read a channel: a triangle of waves across and down, each with its share, around a constant. */
function channel(nibbles, { constant, scale, across, down }) {
  const terms = [];
  for (let cy = 0; cy < down; cy += 1) {
    for (let cx = cy ? 0 : 1; cx * down < across * (down - cy); cx += 1) {
      terms.push([cx, cy, ((nibbles.next().value ?? 7.5) / 7.5 - 1) * scale]);
    }
  }
  return { constant, terms };
}

/** Return cos(π/size (n + ½) k) by n and k. */
const waves = (size) =>
  Array.from({ length: size }, (_, n) =>
    Array.from({ length: 8 }, (_, k) => Math.cos((Math.PI / size) * (n + 0.5) * k)));

const valueAt = ({ constant, terms }, column, line) =>
  terms.reduce((sum, [cx, cy, share]) => sum + 2 * share * column[cx] * line[cy], constant);
