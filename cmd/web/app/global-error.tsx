// SPDX-License-Identifier: ISC
'use client';

export default function GlobalError() {
  return (
    <html lang="en">
      <body>
        <main className="inner lost">
          <title>agent-utils</title>
          <h1>Something went wrong</h1>
          <p>Your tasks are not affected. <a href="/">Reload the page</a>.</p>
        </main>
      </body>
    </html>
  );
}
