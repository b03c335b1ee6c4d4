// SPDX-License-Identifier: ISC
import { App } from '@/components/app';

/* Three addresses, each a static page that holds all screens. */
export function generateStaticParams() {
  return [{ screen: [] }, { screen: ['new'] }, { screen: ['task'] }];
}

export const dynamicParams = false;

export default async function Page({ params }: { params: Promise<{ screen?: string[] }> }) {
  const { screen = [] } = await params;
  return <App prerendered={screen.length > 0 ? `/${screen.join('/')}/` : '/'} />;
}
