// @ts-check
/** What processes cost, read from /proc: CPU time and memory of each role, and how busy the rest of the machine was. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import os from 'node:os';

const TICK_US = 1_000_000 / Number(execFileSync('getconf', ['CLK_TCK']).toString());

/** The fields of /proc/PID/stat behind the name, which may hold anything. null: the process is gone. @param {number | string} pid */
function statOf(pid) {
    try {
        const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
        return text.slice(text.lastIndexOf(')') + 2).split(' ').map(Number);
    } catch {
        return null;
    }
}

/** CPU time of a process and of its children that have ended. @param {number} pid */
function cpuUs(pid) {
    const stat = statOf(pid);
    return stat === null ? 0 : (stat[11] + stat[12] + stat[13] + stat[14]) * TICK_US;
}

/** @param {number} parent */
function childrenOf(parent) {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && statOf(name)?.[1] === parent).map(Number);
}

/** @typedef {Map<string, number[]>} Roles which processes are what */

/** PostgreSQL is its postmaster with all that it started. @param {Roles} roles @returns {Roles} */
function withServers(roles) {
    return new Map([...roles].map(([name, pids]) => [name, name === 'postgres' ? pids.flatMap((pid) => [pid, ...childrenOf(pid)]) : pids]));
}

/** Whom a server process works for: a login of ours, or the cluster itself. @param {number} pid */
function clientOf(pid) {
    try {
        return /: harkara_(\w+) /.exec(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))?.[1] ?? 'itself';
    } catch {
        return 'itself';
    }
}

/**
 * CPU time of each role until now, and in `postgres.LOGIN` what of PostgreSQL's was for whom. A server process that ended
 * is in its postmaster's time, from when it was waited for: so nobody may come or go while we read.
 * @param {Roles} roles @returns {Map<string, number>}
 */
export function cpuOf(roles) {
    for (;;) {
        const before = [...withServers(roles)];
        /** @type {Map<string, number>} */
        const spent = new Map();
        const add = (name, us) => spent.set(name, (spent.get(name) ?? 0) + us);
        for (const [name, pids] of before)
            for (const pid of pids) {
                const us = cpuUs(pid);
                add(name, us);
                if (name === 'postgres')
                    add(`postgres.${clientOf(pid)}`, us);
            }
        if (JSON.stringify(before) === JSON.stringify([...withServers(roles)]))
            return spent;
    }
}

/**
 * Memory of each role in MB: resident pages, and the proportional share, in which a page that n processes use counts
 * as 1/n for each (so PostgreSQL's shared buffers count once). @param {Roles} roles
 */
export function memoryOf(roles) {
    /** @type {Record<string, {rss_mb: number, pss_mb: number}>} */
    const memory = {};
    for (const [name, pids] of withServers(roles)) {
        memory[name] = { rss_mb: 0, pss_mb: 0 };
        for (const pid of pids) {
            let text = '';
            try {
                text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
            } catch {
                continue; /* it has ended */
            }
            memory[name].rss_mb += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024;
            memory[name].pss_mb += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) / 1024;
        }
    }
    return memory;
}

/** CPU time that the whole machine has spent on anything. */
export function busyUs() {
    const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'latin1').split('\n')[0].split(/\s+/).map(Number);
    return (user + nice + system + irq + softirq) * TICK_US;
}

export function describeMachine() {
    const git = (...words) => {
        try {
            return execFileSync('git', words, { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim();
        } catch {
            return '';
        }
    };
    return {
        cpu: os.cpus()[0].model.trim(), cores: os.cpus().length, memory_gb: Math.round(os.totalmem() / 2 ** 30),
        kernel: os.release(), node: process.version, commit: git('rev-parse', '--short', 'HEAD'), is_changed: git('status', '--porcelain') !== '',
    };
}
