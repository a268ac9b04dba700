import { expect, test } from 'vitest';
import { readHeaderFilter, readTemplateFilter } from './filter';

test('an address gives a filter, and nothing that the API would refuse', () => {
    expect(readHeaderFilter({ q: 'hrk', state: 'suspended-usage' })).toEqual({ q: 'hrk', state: 'suspended-usage' });
    expect(readHeaderFilter({ q: 512345, state: 'wat' })).toEqual({ q: '512345' });
    expect(readTemplateFilter({ q: 'x'.repeat(200), kind: 'consent', header: 'dlh_01jd8gzr3s6b9h1k4p7t2y5m0q' })).toEqual({ q: 'x'.repeat(100), kind: 'consent', header: 'dlh_01jd8gzr3s6b9h1k4p7t2y5m0q' });
    expect(readTemplateFilter({ q: '', kind: 1, header: 'HRKARA', state: ['active'] })).toEqual({});
});
