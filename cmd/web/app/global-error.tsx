// SPDX-License-Identifier: ISC
'use client';

export default function GlobalError() {
  return (
    <html lang="en">
      <body>
        <main className="inner lost">
          <title>agent-utils</title>
          <h1>This page broke</h1>
          <p>Your tasks go on without it. <a href="/">Load it again</a>.</p>
        </main>
      </body>
    </html>
  );
}
