/** Whether the server has a newer page than this one. */

const NAME = /<meta\s+name="perptape-build"\s+content="([^"]*)"/;

export function buildOf(html: string): string | null {
  return NAME.exec(html)?.[1] ?? null;
}

export async function checkBuild(): Promise<boolean> {
  const own = document.querySelector<HTMLMetaElement>('meta[name="perptape-build"]')?.content;
  try {
    const answer = await fetch('/', { cache: 'no-store' });
    if (!answer.ok) return false;
    const served = buildOf(await answer.text());
    return own !== undefined && served !== null && served !== own;
  } catch {
    return false;
  }
}
