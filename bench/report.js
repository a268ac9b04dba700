// @ts-check
/** Medians, the table, the JSON file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** @param {number[]} values */
export function median(values) {
    const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
    return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of each figure by itself. @param {any[]} rounds @returns {any} */
export function mediansOf(rounds) {
    return Object.fromEntries(Object.entries(rounds[0]).map(([key, value]) => [key,
        typeof value === 'number' ? median(rounds.map((round) => round[key])) : mediansOf(rounds.map((round) => round[key]))]));
}

const whole = (value) => (value === undefined ? '' : Math.round(value).toLocaleString('en-US'));
const milli = (us) => (us === undefined ? '' : (us / 1000).toFixed(1));
const tenth = (value) => (value === undefined || value < 0.05 ? '' : value.toFixed(1));

/** Columns as wide as their longest cell; the first to the left, the others to the right. @param {string[][]} rows */
export function table(rows) {
    const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
    return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ').trimEnd()).join('\n');
}

const ROLES = ['gateway', 'vault', 'postgres', 'dispatcher', 'smsc', 'webhooks', 'bare', 'api', 'worker', 'redis', 'bearerbox', 'smsbox', 'provider', 'operator', 'receiver', 'load'];

/** @param {import('./scenarios.js').Scenario[]} scenarios @param {Record<string, any>} medians */
export function scenarioTable(scenarios, medians) {
    const shown = scenarios.filter(({ name }) => name in medians), roles = ROLES.filter((role) => shown.some(({ name }) => tenth(medians[name].cpu_us[role]) !== ''));
    return table([
        ['', 'per second', 'p50 ms', 'p99 ms', 'max ms', ...roles.map((role) => `${role} µs`), 'transactions', 'WAL B', 'a commit', 'others'],
        ...shown.map(({ name, title }) => {
            const figures = medians[name];
            return [title, whole(figures.rate), milli(figures.p50_us), milli(figures.p99_us), milli(figures.max_us),
                ...roles.map((role) => tenth(figures.cpu_us[role])), figures.transactions.toFixed(3), whole(figures.wal_bytes), whole(figures.commit_rows), `${Math.round(figures.others * 100)} %`];
        }),
    ]);
}

/** @typedef {{name: string, value: number, by_cpu?: number, from: number, to: number, bar?: {least?: number, most?: number}, holds?: boolean}} Ratio */

/** @param {Ratio} ratio */
function ratioRow({ name, value, by_cpu, from, to, bar, holds }) {
    const digits = (number) => (number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(3));
    const barText = bar === undefined ? '' : bar.least !== undefined ? `≥ ${bar.least}` : `≤ ${bar.most}`;
    return [name, digits(value), digits(from), digits(to), by_cpu === undefined ? '' : digits(by_cpu), barText, holds === undefined ? '' : holds ? 'holds' : 'MISSED'];
}

/** @param {Ratio[]} ratios */
export const ratioTable = (ratios) => table([['ratio', 'median', 'lowest', 'highest', 'by CPU', 'bar', ''], ...ratios.map(ratioRow)]);

/** @param {Record<string, Record<string, {rss_mb: number, pss_mb: number}>>} memory by moment */
export function memoryTable(memory) {
    const moments = Object.keys(memory), roles = Object.keys(memory[moments[0]]);
    const cells = (pick) => moments.map((moment) => pick(memory[moment]));
    const sum = (of, what) => Object.entries(of).filter(([role]) => role !== 'postgres').reduce((total, [, value]) => total + value[what], 0);
    return table([
        ['memory, MB: proportional (resident)', ...moments],
        ...roles.map((role) => [role, ...cells((of) => `${of[role].pss_mb.toFixed(1)} (${of[role].rss_mb.toFixed(1)})`)]),
        ['all without PostgreSQL', ...cells((of) => `${sum(of, 'pss_mb').toFixed(1)} (${sum(of, 'rss_mb').toFixed(1)})`)],
    ]);
}

/** For a document. @param {string[][]} rows */
const markdown = (rows) => [rows[0], rows[0].map((_, column) => (column === 0 ? '---' : '---:')), ...rows.slice(1)].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** Rates, latencies and CPU times, then ratios. @param {import('./measure.js').Scenario[]} scenarios @param {Record<string, any>} medians @param {any[]} ratios */
export function documentTables(scenarios, medians, ratios) {
    const peer = (cpu_us) => tenth(['bare', 'api', 'worker', 'redis', 'bearerbox', 'smsbox'].reduce((sum, role) => sum + (cpu_us[role] ?? 0), 0));
    return `${markdown([['', 'per second', 'p50 ms', 'p99 ms', ...['gateway', 'vault', 'postgres', 'dispatcher', 'smsc', 'webhooks'].map((role) => `${role} µs`), 'peer, bare µs', 'all µs', 'transactions'],
        ...scenarios.filter(({ name }) => name in medians).map(({ name, title }) => {
            const { rate, p50_us, p99_us, cpu_us, transactions } = medians[name];
            const all = Object.entries(cpu_us).reduce((sum, [role, us]) => (role.includes('.') ? sum : sum + us), 0);
            return [title, whole(rate), milli(p50_us), milli(p99_us), ...['gateway', 'vault', 'postgres', 'dispatcher', 'smsc', 'webhooks'].map((role) => tenth(cpu_us[role])), peer(cpu_us), whole(all), transactions.toFixed(3)];
        })])}

${markdown([['ratio', 'median', 'lowest', 'highest', 'by CPU', 'bar', ''], ...ratios.map(ratioRow)])}
`;
}

/** @param {string} file @param {unknown} result */
export function writeResult(file, result) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(result, (_, value) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value), 2)}\n`);
}
