// @ts-check
/**
 * The result as a picture: an SVG of horizontal bars, one panel a comparison, that is legible on light and on dark. Written by hand: no
 * library, no script in it, no font but the reader's.
 */
import { writeFileSync } from 'node:fs';

const WIDTH = 920, LEFT = 40, LABELS = 190, VALUE = 70, RIGHT = 140, ROW = 22, BAR = 16, PANEL_TOP = 58, PANEL_GAP = 22;

/** Who is who, in the order of the legend. */
const SERIES = [
    { id: 'bare', name: 'bare server, bare group commit' },
    { id: 'ours', name: 'Harkara' },
    { id: 'bullmq', name: 'Fastify + BullMQ' },
    { id: 'boss', name: 'Fastify + pg-boss' },
    { id: 'kannel', name: 'Kannel (not synced)' },
];

/** A panel's rows: the name of a scenario, and whose it is. `of`: which figure; less is better where it is a time. */
const PANELS = [
    { title: 'Durable accepts a second', note: 'more is better', of: 'rate', groups: [
        { name: '64 connections', rows: [['bare', 'bare_group_64'], ['ours', 'accept_64'], ['bullmq', 'peer_bullmq_accept_64'], ['boss', 'peer_pg-boss_accept_64']] },
        { name: '256 connections', rows: [['bare', 'bare_group_256'], ['ours', 'accept_256'], ['bullmq', 'peer_bullmq_accept_256']] },
        { name: '1,000 connections', rows: [['bare', 'bare_group_1000'], ['ours', 'accept_1000'], ['bullmq', 'peer_bullmq_accept_1000']] },
        { name: 'batches of 100', rows: [['ours', 'batch_16'], ['bullmq', 'peer_bullmq_batch_16']] },
    ] },
    { title: 'p99 of an accept, milliseconds', note: 'less is better', of: 'p99_us', groups: [
        { name: '64 connections', rows: [['bare', 'bare_group_64'], ['ours', 'accept_64'], ['bullmq', 'peer_bullmq_accept_64'], ['boss', 'peer_pg-boss_accept_64']] },
        { name: '256 connections', rows: [['bare', 'bare_group_256'], ['ours', 'accept_256'], ['bullmq', 'peer_bullmq_accept_256']] },
        { name: '1,000 connections', rows: [['bare', 'bare_group_1000'], ['ours', 'accept_1000'], ['bullmq', 'peer_bullmq_accept_1000']] },
    ] },
    { title: 'Messages a second, from the request to the end', note: 'more is better', of: 'rate', groups: [
        { name: 'sent, outcome recorded', rows: [['ours', 'end_to_end'], ['bullmq', 'peer_bullmq_end_to_end'], ['boss', 'peer_pg-boss_end_to_end']] },
        { name: '… 3 statuses, 3 webhooks', rows: [['ours', 'webhooks'], ['bullmq', 'peer_bullmq_webhooks']] },
    ] },
    { title: 'SMS a second', note: 'more is better', of: 'rate', groups: [
        { name: 'accepted, 64 connections', rows: [['ours', 'sms_accept_64'], ['kannel', 'peer_kannel_accept_64']] },
        { name: 'accepted, 256 connections', rows: [['ours', 'sms_accept_256'], ['kannel', 'peer_kannel_accept_256']] },
        { name: '… and at the operator', rows: [['ours', 'sms_end_to_end'], ['kannel', 'peer_kannel_end_to_end']] },
        { name: '… submitted by SMPP', rows: [['ours', 'sms_smpp_end_to_end']] },
    ] },
];

const STYLE = `
.page{fill:#fff}.ink{fill:#1b1f24}.soft{fill:#59636e}.rule{stroke:#d1d9e0}
.bare{fill:#9aa4af}.ours{fill:#0b7a53}.bullmq{fill:#c2410c}.boss{fill:#7a4fb5}.kannel{fill:#2f6fb0}
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-size:13px}
.title{font-size:20px;font-weight:600}.panel{font-size:15px;font-weight:600}.value{font-variant-numeric:tabular-nums}.strong{font-weight:600}
@media(prefers-color-scheme:dark){.page{fill:#0d1117}.ink{fill:#e6edf3}.soft{fill:#9198a1}.rule{stroke:#3d444d}
.bare{fill:#768390}.ours{fill:#3fb98a}.bullmq{fill:#f08a4b}.boss{fill:#b08ee6}.kannel{fill:#6aa8e8}}`;

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign] ?? sign);
const shown = (value, of) => (of === 'rate' ? Math.round(value).toLocaleString('en-US') : (value / 1000).toFixed(value < 10_000 ? 1 : 0));

/** @param {Record<string, any>} medians @param {{title: string, subtitle: string}} words @returns {string | null} null: nothing of it was measured */
export function chart(medians, { title, subtitle }) {
    const panels = PANELS.map((panel) => ({ ...panel, groups: panel.groups.map((group) => ({ ...group, rows: group.rows.filter(([, name]) => medians[name]?.[panel.of] !== undefined) }))
        .filter(({ rows }) => rows.length > 0) })).filter(({ groups }) => groups.length > 0);
    if (panels.length === 0)
        return null;
    const used = new Set(panels.flatMap(({ groups }) => groups.flatMap(({ rows }) => rows.map(([id]) => id))));
    /** @type {string[]} */
    const parts = [];
    let y = 46;
    const text = (x, at, words, classes = 'ink', more = '') => parts.push(`<text x="${x}" y="${at}" class="${classes}"${more}>${escaped(words)}</text>`);
    text(LEFT, y, title, 'ink title');
    text(LEFT, y += 24, subtitle, 'soft');
    y += 30;
    let x = LEFT;
    for (const { id, name } of SERIES.filter(({ id }) => used.has(id))) {
        parts.push(`<rect x="${x}" y="${y - 11}" width="12" height="12" rx="2" class="${id}"/>`);
        text(x + 19, y, name, 'ink');
        x += 19 + name.length * 7 + 28;
    }
    y += 8;
    for (const { title: heading, note, of, groups } of panels) {
        y += PANEL_GAP;
        parts.push(`<line x1="${LEFT}" y1="${y}" x2="${WIDTH - LEFT}" y2="${y}" class="rule"/>`);
        text(LEFT, y + 28, heading, 'ink panel');
        text(WIDTH - LEFT, y + 28, note, 'soft', ' text-anchor="end"');
        y += PANEL_TOP - 12;
        const most = Math.max(...groups.flatMap(({ rows }) => rows.map(([, name]) => medians[name][of]))), room = WIDTH - 2 * LEFT - LABELS - VALUE - RIGHT;
        for (const { name, rows } of groups) {
            text(LEFT, y + 13, name, 'ink');
            const [ours, bare] = ['ours', 'bare'].map((who) => rows.find(([id]) => id === who));
            for (const [id, scenario] of rows) {
                const value = medians[scenario][of], width = Math.max(2, value / most * room), at = LEFT + LABELS;
                parts.push(`<rect x="${at}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2" class="${id}"/>`);
                text((at + width + 8).toFixed(1), y + 13, shown(value, of), id === 'ours' ? 'ink value strong' : 'ink value');
                if (of === 'rate' && id === 'ours' && bare !== undefined)
                    text(WIDTH - LEFT, y + 13, `${Math.round(value / medians[bare[1]][of] * 100)} % of the bare server`, 'soft', ' text-anchor="end"');
                if (ours !== undefined && (id === 'bullmq' || id === 'boss' || id === 'kannel')) {
                    const ratio = of === 'rate' ? medians[ours[1]][of] / value : value / medians[ours[1]][of];
                    text(WIDTH - LEFT, y + 13, `Harkara ${of === 'rate' ? '' : 'shorter by '}${ratio.toFixed(1)}×`, 'soft', ' text-anchor="end"');
                }
                y += ROW;
            }
            y += 10;
        }
    }
    y += 16;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="${escaped(title)}">
<style>${STYLE}</style>
<rect class="page" width="${WIDTH}" height="${y}"/>
${parts.join('\n')}
</svg>
`;
}

/** @param {string} file @param {Record<string, any>} medians @param {{title: string, subtitle: string}} words whether there was anything to draw */
export function writeChart(file, medians, words) {
    const svg = chart(medians, words);
    if (svg !== null)
        writeFileSync(file, svg);
    return svg !== null;
}
