// @ts-check
/**
 * Loaded before every test file (scripts/test): a file that has not ended after its limit says what it still waits for,
 * ends whatever it started and fails, instead of keeping everything behind it waiting for ever. A file that is blocked
 * and cannot say it is ended a minute later by the runner's own --test-timeout.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const TAIL_LINES = 60;

/** Of a process, or nothing when it has gone meanwhile. @param {() => string} read */
function look(read) {
    try {
        return read();
    } catch {
        return '';
    }
}

/** Everything below a process, the nearest first. @param {number} root */
function descendants(root) {
    const parents = new Map(readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((name) => {
        const status = look(() => readFileSync(`/proc/${name}/stat`, 'latin1'));
        return [Number(name), Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1])];
    }));
    const found = [root];
    for (const parent of found)
        found.push(...[...parents].filter(([, of]) => of === parent).map(([pid]) => pid));
    return found.slice(1);
}

function tooLong() {
    const below = descendants(process.pid), logs = new Set();
    const say = (/** @type {string} */ line) => process.stderr.write(`${line}\n`);
    say(`${process.argv[1]} has not ended after ${limit} s. Open: ${process.getActiveResourcesInfo().join(' ')}`);
    for (const pid of below) {
        const command = look(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').slice(0, 160);
        const state = /^State:\t(.*)$/m.exec(look(() => readFileSync(`/proc/${pid}/status`, 'utf8')))?.[1] ?? 'gone';
        say(`  ${pid} ${state} in ${look(() => readFileSync(`/proc/${pid}/wchan`, 'utf8'))}: ${command}`);
        const log = look(() => readlinkSync(`/proc/${pid}/fd/2`));
        if (log.endsWith('.log'))
            logs.add(log);
    }
    for (const log of logs)
        say(`${log} ends with:\n${look(() => readFileSync(log, 'utf8')).split('\n').slice(-TAIL_LINES).join('\n')}`);
    for (const pid of below)
        look(() => String(process.kill(pid, 'SIGKILL')));
    process.exit(1);
}

const limit = Number(process.env.HARKARA_TEST_FILE_LIMIT_S ?? 900);
if (process.env.NODE_TEST_CONTEXT !== undefined)
    setTimeout(tooLong, limit * 1000).unref();
