// @ts-check
/** Memory with many open connections: each has been answered once, and stays. */
import { spawn } from 'node:child_process';
import { memoryOf } from './machine.js';
import { checkLoad, loadWords, posts } from './measure.js';
import { linesOf } from './platform.js';

export const OPEN = 10_000;
const BARS = { 'at idle': 120, [`with ${OPEN.toLocaleString('en-US')} connections`]: 400 };

/** @param {import('./measure.js').Run} run */
export async function memoryOpen(run) {
    const { platform } = run;
    await platform.clear();
    const child = spawn(platform.program('load'), [...loadWords(run, 'open', posts(platform.workspaces), OPEN, ['--count', String(OPEN), '--rate', '2000']), '--hold'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const result = JSON.parse(await linesOf(child)());
    await checkLoad(result, '202', async () => (await platform.countNew()).total);
    const memory = memoryOf(platform.roles);
    child.stdin.end();
    await new Promise((resolve) => (child.exitCode === null ? child.once('close', resolve) : resolve(null)));
    return { [`with ${OPEN.toLocaleString('en-US')} connections`]: memory };
}

/** As rows of the table of ratios. @param {Record<string, Record<string, {rss_mb: number}>>} memory by moment */
export function memoryBars(memory) {
    return Object.entries(BARS).filter(([moment]) => moment in memory).map(([moment, most]) => {
        const value = Object.entries(memory[moment]).reduce((sum, [role, { rss_mb }]) => (role === 'postgres' ? sum : sum + rss_mb), 0);
        return { name: `all roles resident, MB, ${moment}`, value, from: value, to: value, bar: { most }, holds: value <= most };
    });
}
