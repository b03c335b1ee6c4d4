// SPDX-License-Identifier: ISC
export default function NotFound() {
  return (
    <main className="inner lost">
      <h1>Page not found</h1>
      <p>Go to <a href="/">your tasks</a>.</p>
    </main>
  );
}
