// SPDX-License-Identifier: ISC
export default function NotFound() {
  return (
    <main className="inner lost">
      <h1>There is nothing here</h1>
      <p>Your tasks are <a href="/">where they were</a>.</p>
    </main>
  );
}
