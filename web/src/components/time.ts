type Unit = 'second' | 'minute' | 'hour' | 'day';

/** How long ago or ahead, in the largest unit that fits; 'far' beyond a week: then the date says more. */
export function relativeParts(at: number, now: number): 'now' | 'far' | { value: number; unit: Unit } {
    const seconds = Math.round((at - now) / 1000);
    const size = Math.abs(seconds);
    if (size < 10)
        return 'now';
    if (size < 60)
        return { value: seconds, unit: 'second' };
    if (size < 3600)
        return { value: Math.trunc(seconds / 60), unit: 'minute' };
    if (size < 86_400)
        return { value: Math.trunc(seconds / 3600), unit: 'hour' };
    if (size < 7 * 86_400)
        return { value: Math.trunc(seconds / 86_400), unit: 'day' };
    return 'far';
}
