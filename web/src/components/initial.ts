const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** The first letter as a reader sees it: with its vowel sign in Devanagari. */
export function initialOf(name: string): string {
    for (const { segment } of segmenter.segment(name.trim()))
        return segment.toLocaleUpperCase();
    return '?';
}
