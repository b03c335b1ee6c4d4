// SPDX-License-Identifier: ISC
/* A list of tasks, put together from pages that are read again while the list
   grows at its head. Newest first; ids sort by time. Pure. */

import type { Row, TaskPage } from './types.ts';

export interface Listing {
  rows: Row[];
  /* the position of the next older page; null: there is none */
  next: string | null;
  loaded: boolean;
}

export const nothing: Listing = { rows: [], next: null, loaded: false };

function same(a: Row, b: Row): boolean {
  return a.seq === b.seq && a.state === b.state && a.updated_at === b.updated_at &&
    a.reason === b.reason;
}

/* Adds a page that was asked for with BEFORE (null: the head). Rows that the page
   should have and has not were pruned or no longer match the filter. Rows that
   have not changed stay the same objects. */
export function merge(list: Listing, page: TaskPage, before: string | null): Listing {
  const last = page.tasks.at(-1)?.id;
  const newest = list.rows[0]?.id;
  /* there are more new tasks than a page holds: those in between are unknown */
  const gap = before === null && page.next !== null && last !== undefined &&
    newest !== undefined && last > newest;
  if (gap || !list.loaded) return { rows: page.tasks, next: page.next, loaded: true };

  const known = new Map(list.rows.map((row) => [row.id, row]));
  const fresh = page.tasks.map((row) => {
    const old = known.get(row.id);
    return old && same(old, row) ? old : row;
  });
  const end = page.next === null ? '' : last ?? '';
  const above = before === null ? [] : list.rows.filter((row) => row.id >= before);
  const below = list.rows.filter((row) => row.id < end);
  const rows = [...above, ...fresh, ...below];
  const next = below.length > 0 ? list.next : page.next;
  const unchanged = next === list.next && rows.length === list.rows.length &&
    rows.every((row, i) => row === list.rows[i]);
  return unchanged ? list : { rows, next, loaded: true };
}
