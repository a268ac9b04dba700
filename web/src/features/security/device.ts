/** What a browser says of itself, as a person would say it; null for what it does not say. */
export interface Device {
    browser: string | null;
    system: string | null;
    isMobile: boolean;
}

/* In this order: each pretends to be those below it. */
const browsers: [RegExp, string][] = [
    [/\bEdg(?:A|iOS)?\//, 'Edge'], [/\bOPR\//, 'Opera'], [/\bSamsungBrowser\//, 'Samsung Internet'], [/\bYaBrowser\//, 'Yandex'], [/\bVivaldi\//, 'Vivaldi'],
    [/\b(?:Firefox|FxiOS)\//, 'Firefox'], [/\b(?:Headless)?Chrome\/|\bCriOS\//, 'Chrome'], [/\bVersion\/[\d.]+ .*Safari\//, 'Safari'],
];
const systems: [RegExp, string][] = [
    [/\biPhone\b/, 'iPhone'], [/\biPad\b/, 'iPad'], [/\bAndroid\b/, 'Android'], [/\bWindows\b/, 'Windows'], [/\bCrOS\b/, 'ChromeOS'], [/\bMac OS X\b/, 'macOS'], [/\bLinux\b/, 'Linux'],
];

export function deviceOf(userAgent: string): Device {
    const found = (list: [RegExp, string][]) => list.find(([pattern]) => pattern.test(userAgent))?.[1] ?? null;
    const system = found(systems);
    return { browser: found(browsers), system, isMobile: system === 'iPhone' || system === 'iPad' || system === 'Android' };
}
