/** What a chart is drawn in: both themes of a page are met by a background of its own. */
const style = `
    .page { fill: #ffffff; stroke: #d1d9e0 }
    .grid { stroke: #e4e8ec }
    text { fill: #59636e; font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif }
    .title { fill: #1f2328; font-size: 14px; font-weight: 600 }
    .ours { stroke: #0969da } .fill-ours { fill: #0969da }
    .floor { stroke: #8250df } .fill-floor { fill: #8250df }
    .missed { stroke: #bc4c00 } .fill-missed { fill: #bc4c00 }
    .bound { stroke: #1a7f37; stroke-dasharray: 5 4 }
    .line { fill: none; stroke-width: 2 }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #3d444d }
      .grid { stroke: #262c36 }
      text { fill: #9198a1 }
      .title { fill: #f0f6fc }
      .ours { stroke: #4493f8 } .fill-ours { fill: #4493f8 }
      .floor { stroke: #ab7df8 } .fill-floor { fill: #ab7df8 }
      .missed { stroke: #db6d28 } .fill-missed { fill: #db6d28 }
      .bound { stroke: #3fb950 }
    }`;

/** Text as it stands in XML. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** One element; numbers to a tenth of a pixel, so that a chart is the same wherever it is made. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  text?: string,
): string {
  const all = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? pixels(value) : escaped(value)}"`)
    .join('');
  return text === undefined ? `<${name}${all}/>` : `<${name}${all}>${escaped(text)}</${name}>`;
}

/** A number of pixels, to a tenth. */
export function pixels(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** A whole file. */
export function svgFile(
  { width, height, title }: { width: number; height: number; title: string },
  parts: readonly string[],
): string {
  const page = { x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 6, class: 'page' };
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
  <title>${escaped(title)}</title>
  <style>${style}
  </style>
${[element('rect', page), ...parts].map((part) => `  ${part}`).join('\n')}
</svg>
`;
}
