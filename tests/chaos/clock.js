// @ts-check
/**
 * Turns the clock of one process that is locked in, from outside and without its help: root writes over the code in the process's
 * memory that reads the clock (the vDSO, which the kernel maps into each process), as a debugger would. So nothing in the programs
 * themselves is made for it, and what is tested are the programs that run in production.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { signalAll } from './database.js';

const SOURCE = path.join(path.dirname(fileURLToPath(import.meta.url)), 'clock.S');
/** Offsets in the code of clock.S. */
const AHEAD = 8, TIME = 16, GETTIMEOFDAY = 80;
const SHT_DYNSYM = 11;
const STOP_MS_MAX = 2000;
const TRIES_MAX = 20;
const napping = new Int32Array(new SharedArrayBuffer(4));
const nap = (/** @type {number} */ ms) => Atomics.wait(napping, 0, 0, ms);

const gone = (/** @type {string} */ why) => Object.assign(new Error(why), { code: 'ESRCH' });

/** Where the vDSO lies in a process. @param {number|'self'} pid */
function mappingOf(pid) {
    const line = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').find((each) => each.endsWith('[vdso]'));
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line ?? '') ?? [];
    if (from === undefined)
        throw gone('the process has no vDSO: it is ending');
    return { from: BigInt(`0x${from}`), to: BigInt(`0x${to}`) };
}

/** Functions of the vDSO by name: offset and size. @param {Buffer} image */
function functionsOf(image) {
    /** @type {Map<string, {at: number, size: number}>} */
    const found = new Map();
    const sections = Number(image.readBigUInt64LE(0x28)), each = image.readUInt16LE(0x3a), count = image.readUInt16LE(0x3c);
    const section = (/** @type {number} */ i) => {
        const at = sections + i * each;
        return { type: image.readUInt32LE(at + 4), offset: Number(image.readBigUInt64LE(at + 24)), size: Number(image.readBigUInt64LE(at + 32)), link: image.readUInt32LE(at + 40) };
    };
    for (let i = 0; i < count; i++) {
        const symbols = section(i);
        if (symbols.type !== SHT_DYNSYM)
            continue;
        const names = section(symbols.link).offset;
        for (let at = symbols.offset; at < symbols.offset + symbols.size; at += 24) {
            const name = names + image.readUInt32LE(at);
            found.set(image.toString('latin1', name, image.indexOf(0, name)), { at: Number(image.readBigUInt64LE(at + 8)), size: Number(image.readBigUInt64LE(at + 16)) });
        }
    }
    return found;
}

export class Clocks {
    /** Throws with the reason where clocks cannot be turned. */
    constructor() {
        if (process.getuid?.() !== 0)
            throw new Error('only root can write into other processes');
        if (process.arch !== 'x64')
            throw new Error(`there is no code for ${process.arch}`);
        const folder = mkdtempSync(path.join(tmpdir(), 'harkara-clock-'));
        try {
            execFileSync('gcc', ['-c', SOURCE, '-o', path.join(folder, 'clock.o')], { stdio: 'pipe' });
            execFileSync('objcopy', ['-O', 'binary', '-j', '.text', path.join(folder, 'clock.o'), path.join(folder, 'clock.bin')], { stdio: 'pipe' });
            this.code = readFileSync(path.join(folder, 'clock.bin'));
        } finally {
            rmSync(folder, { recursive: true, force: true });
        }
        const { from, to } = mappingOf('self'), image = Buffer.alloc(Number(to - from));
        const memory = openSync('/proc/self/mem', 'r');
        readSync(memory, image, 0, image.length, from);
        closeSync(memory);
        const functions = functionsOf(image);
        const of = (/** @type {string} */ name) => functions.get(`__vdso_${name}`) ?? { at: 0, size: 0 };
        this.functions = { clock_gettime: of('clock_gettime'), time: of('time'), gettimeofday: of('gettimeofday') };
        if (this.functions.clock_gettime.size < this.code.length || this.functions.time.size < 5 || this.functions.gettimeofday.size < 5)
            throw new Error('the vDSO of this kernel has no room');
        /** Processes whose clock can be turned by now, with the place of their seconds. @type {Map<number, bigint>} */
        this.places = new Map();
    }

    /** @param {number} pid @param {number} seconds ahead of the true time; 0: true again @returns {boolean} whether there was such a process */
    turn(pid, seconds) {
        try {
            let place = this.places.get(pid);
            if (place !== undefined && place - mappingOf(pid).from !== BigInt(this.functions.clock_gettime.at + AHEAD))
                place = undefined; /* the number is another process's by now */
            if (place === undefined) {
                if (seconds === 0)
                    return true;
                place = this.#prepare(pid);
                this.places.set(pid, place);
            }
            const value = Buffer.alloc(8);
            value.writeBigInt64LE(BigInt(seconds));
            this.#write(pid, value, place);
            return true;
        } catch (error) {
            this.places.delete(pid);
            if (['ENOENT', 'ESRCH', 'EIO', 'EACCES'].includes(/** @type {any} */ (error).code))
                return false; /* it has ended; its number may be another's by now */
            throw error;
        }
    }

    /** All clocks are true again. */
    turnBack() {
        for (const pid of [...this.places.keys()])
            this.turn(pid, 0);
    }

    /** The process stands still while its code is written. @param {number} pid */
    #prepare(pid) {
        const { from, to } = mappingOf(pid), { clock_gettime: clock, time, gettimeofday } = this.functions;
        for (let tries = 0; ; tries++) {
            const wasRunning = !this.#isStopped(pid);
            process.kill(pid, 'SIGSTOP');
            try {
                for (let waited = 0; !this.#isStopped(pid) && waited < STOP_MS_MAX; waited++)
                    nap(1);
                if (!this.#isStopped(pid) || this.#isInside(pid, from, to)) {
                    if (tries >= TRIES_MAX)
                        throw new Error(`${pid} is always reading its clock`);
                    continue;
                }
                this.#write(pid, this.code, from + BigInt(clock.at));
                for (const [one, entry] of /** @type {[{at: number}, number][]} */ ([[time, TIME], [gettimeofday, GETTIMEOFDAY]])) {
                    const jump = Buffer.from([0xe9, 0, 0, 0, 0]);
                    jump.writeInt32LE(clock.at + entry - (one.at + jump.length), 1);
                    this.#write(pid, jump, from + BigInt(one.at));
                }
                return from + BigInt(clock.at + AHEAD);
            } finally {
                if (wasRunning)
                    signalAll([pid], 'SIGCONT');
            }
        }
    }

    /** @param {number} pid */
    #isStopped(pid) {
        const states = readdirSync(`/proc/${pid}/task`).map((task) => /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8'))?.[1] ?? 'X');
        if (states.some((state) => 'ZX'.includes(state)))
            throw gone('the process is ending');
        return states.every((state) => 'Tt'.includes(state));
    }

    /** Whether a thread is just then in what is to be written over. @param {number} pid @param {bigint} from @param {bigint} to */
    #isInside(pid, from, to) {
        return readdirSync(`/proc/${pid}/task`).some((task) => {
            const at = BigInt(readFileSync(`/proc/${pid}/task/${task}/syscall`, 'latin1').trim().split(' ').at(-1)?.replace('running', '0') || '0');
            return at >= from && at < to;
        });
    }

    /** @param {number} pid @param {Buffer} bytes @param {bigint} at */
    #write(pid, bytes, at) {
        const memory = openSync(`/proc/${pid}/mem`, 'r+');
        try {
            writeSync(memory, bytes, 0, bytes.length, Number(at)); /* below 2^47 */
        } finally {
            closeSync(memory);
        }
    }
}
