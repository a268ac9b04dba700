const qualities = ['green', 'yellow', 'red', 'unknown'] as const;

/** The provider's word for a number's quality, as far as it is known. */
export function isQuality(word: string | null): word is (typeof qualities)[number] {
    return (qualities as readonly (string | null)[]).includes(word);
}

/** "tier_2k": how many people may be written to first in 24 hours; null for what is no number. */
export function tierOf(word: string | null): number | null {
    const found = /^tier_([0-9]+)(k?)$/.exec(word ?? '');
    return found === null ? null : Number(found[1]) * (found[2] === 'k' ? 1000 : 1);
}
