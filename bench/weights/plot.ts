import { distributions, loads, schedulers, type Cell } from './grid.ts';

/** Colours that people with any colour vision can tell apart, and a dash where two lines lie close. */
const styles: Readonly<Record<string, { colour: string; dash?: string }>> = {
  'static, equal': { colour: '#999999' },
  'static, by CPU limit': { colour: '#999999', dash: '5 4' },
  'static, perfect at start': { colour: '#56b4e9' },
  'LVS formula': { colour: '#e69f00' },
  'rate / utilisation': { colour: '#cc79a7' },
  InFlight: { colour: '#0072b2', dash: '5 4' },
  'CapacityEstimate, nothing known': { colour: '#009e73', dash: '5 4' },
  CapacityEstimate: { colour: '#009e73' },
  oracle: { colour: '#000000', dash: '2 3' },
};

const width = 960;
const panel = { width: 380, height: 210, left: 70, top: 130, gapX: 90, gapY: 80 };
/** p99 in seconds. */
const [least, most] = [0.2, 500];

/** p99 over load for each scheduler and distribution, and the weights of three servers to which something happens. */
export function plotWeights(cells: readonly Cell[], story: Story): string {
  const parts = [legend()];
  schedulers.forEach((scheduler, row) => {
    distributions.forEach((distribution, column) => {
      const x = panel.left + column * (panel.width + panel.gapX);
      const y = panel.top + row * (panel.height + panel.gapY);
      const own = cells.filter(
        (cell) => cell.scheduler === scheduler && cell.distribution === distribution && cell.mix === 1,
      );
      parts.push(group(x, y, latencyPanel(`${scheduler}, ${distribution} service times`, own)));
    });
  });
  const bottom = panel.top + 2 * (panel.height + panel.gapY);
  parts.push(group(panel.left, bottom, storyPanel(story, 2 * panel.width + panel.gapX)));
  const height = bottom + panel.height + 60;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(panel.left, 30, '99th percentile of latency over load: 16 unequal, changing servers', {
      size: 17,
      isBold: true,
    }),
    ...parts,
    '</svg>\n',
  ].join('\n');
}

export interface Story {
  readonly title: string;
  readonly secondsPerPoint: number;
  readonly lines: readonly { readonly name: string; readonly values: readonly number[] }[];
}

function legend(): string {
  return Object.entries(styles)
    .map(([name, style], index) => {
      const x = panel.left + (index % 3) * 285;
      const y = 56 + Math.floor(index / 3) * 20;
      return `${line(
        [
          [x, y - 4],
          [x + 30, y - 4],
        ],
        style,
      )}\n${text(x + 38, y, name)}`;
    })
    .join('\n');
}

function latencyPanel(title: string, cells: readonly Cell[]): string {
  const x = (load: number) => (((load - 0.5) / 0.45) * 0.92 + 0.04) * panel.width;
  const y = (seconds: number) =>
    panel.height * (1 - Math.log(Math.min(most, seconds) / least) / Math.log(most / least));
  const ticks: [number, string][] = [
    [0.2, '200 ms'],
    [1, '1 s'],
    [10, '10 s'],
    [100, '100 s'],
  ];
  return [
    text(0, -12, title, { isBold: true }),
    ...ticks.map(
      ([value, label]) =>
        `${rule(y(value), panel.width)}\n${text(-8, y(value) + 4, label, { anchor: 'end' })}`,
    ),
    ...loads.map((load) => text(x(load), panel.height + 18, `${load * 100} %`, { anchor: 'middle' })),
    ...Object.entries(styles).map(([name, style]) => {
      const points = cells
        .filter((cell) => cell.contender === name)
        .map((cell): [number, number] => [x(cell.load), y(cell.outcome.p99)]);
      return [line(points, style), ...points.map(([px, py]) => dot(px, py, style.colour))].join('\n');
    }),
  ].join('\n');
}

function storyPanel({ title, secondsPerPoint, lines }: Story, panelWidth: number): string {
  const colours = ['#d55e00', '#0072b2', '#009e73'];
  const points = Math.max(...lines.map(({ values }) => values.length));
  const top = Math.max(...lines.flatMap(({ values }) => values)) * 1.1;
  const x = (index: number) => (index / (points - 1)) * panelWidth;
  const y = (value: number) => panel.height * (1 - value / top);
  const step = top > 150 ? 100 : top > 60 ? 50 : 10;
  const minutes = Math.floor(((points - 1) * secondsPerPoint) / 60);
  return [
    text(0, -12, title, { isBold: true }),
    ...Array.from({ length: Math.floor(top / step) + 1 }, (_, index) => index * step).map(
      (value) => `${rule(y(value), panelWidth)}\n${text(-8, y(value) + 4, String(value), { anchor: 'end' })}`,
    ),
    ...Array.from({ length: Math.floor(minutes / 3) + 1 }, (_, index) => index * 3).map((minute) =>
      text(x((minute * 60) / secondsPerPoint), panel.height + 18, `${minute} min`, { anchor: 'middle' }),
    ),
    ...lines.map(({ name, values }, index) => {
      const colour = colours[index % colours.length] ?? '#000000';
      const drawn = values.flatMap((value, at): [number, number][] => (value > 0 ? [[x(at), y(value)]] : []));
      const label = text(12 + index * 250, panel.height + 44, name);
      return `${line(drawn, { colour })}\n${dot(4 + index * 250, panel.height + 40, colour)}\n${label}`;
    }),
  ].join('\n');
}

function group(x: number, y: number, content: string): string {
  return `<g transform="translate(${x} ${y})">\n${content}\n</g>`;
}

function line(
  points: readonly (readonly [number, number])[],
  style: { colour: string; dash?: string },
): string {
  const path = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  const dash = style.dash === undefined ? '' : ` stroke-dasharray="${style.dash}"`;
  return `<polyline points="${path}" fill="none" stroke="${style.colour}" stroke-width="2"${dash}/>`;
}

function dot(x: number, y: number, colour: string): string {
  return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="2.6" fill="${colour}"/>`;
}

function rule(y: number, length: number): string {
  return `<line x1="0" x2="${length}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" stroke="#e0e0e0"/>`;
}

interface TextStyle {
  readonly size?: number;
  readonly isBold?: boolean;
  readonly anchor?: 'end' | 'middle';
}

function text(x: number, y: number, content: string, { size, isBold, anchor }: TextStyle = {}): string {
  const attributes = [
    size === undefined ? '' : ` font-size="${size}"`,
    isBold === true ? ' font-weight="bold"' : '',
    anchor === undefined ? '' : ` text-anchor="${anchor}"`,
  ].join('');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${attributes}>${content}</text>`;
}
