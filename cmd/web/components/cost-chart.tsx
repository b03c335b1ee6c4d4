// SPDX-License-Identifier: ISC
import { money, span as lasted } from '@/lib/format';
import type { Cost } from '@/lib/timeline';

const W = 280;
const H = 96;
const PAD = 4;

/* Cost over time, as steps: it rises when the model replies. */
export function CostChart({ costs, budget }: { costs: Cost[]; budget: number | undefined }) {
  const first = costs[0];
  const last = costs.at(-1);
  const total = last?.usd ?? 0;
  const span = first && last ? Math.max(1, last.at - first.at) : 1;
  const near = budget !== undefined && total > budget / 4;
  const top = Math.max(near ? budget : 0, total, 1e-9) * 1.08;
  const x = (at: number) => PAD + (at - (first?.at ?? 0)) / span * (W - 2 * PAD);
  const y = (usd: number) => H - PAD - usd / top * (H - 2 * PAD);
  const steps = costs.map((c, i) => i === 0 ? `M${x(c.at).toFixed(1)} ${y(c.usd).toFixed(1)}` : `H${x(c.at).toFixed(1)}V${y(c.usd).toFixed(1)}`).join('');
  const words = costs.length > 1
    ? `Cost rose to ${money(total)} in ${lasted(span)}${budget === undefined ? '' : `, of a budget of ${money(budget)}`}`
    : 'No cost yet';
  return (
    <figure className="chart">
      <svg viewBox={`0 0 ${W} ${H}`} role="img" aria-label={words} preserveAspectRatio="none">
        <path d={`M${PAD} ${H - PAD}H${W - PAD}`} className="axis" />
        {near && <path d={`M${PAD} ${y(budget).toFixed(1)}H${W - PAD}`} className="budget" />}
        {costs.length > 1 && <path d={`${steps}V${H - PAD}H${PAD}Z`} className="area" />}
        {costs.length > 1 && <path d={steps} className="curve" />}
      </svg>
      <figcaption>
        <span>{money(total)}</span>
        <span>{costs.length > 1 ? `in ${lasted(span)}` : ''}</span>
      </figcaption>
    </figure>
  );
}
