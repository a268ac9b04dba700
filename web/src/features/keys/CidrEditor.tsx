import { Button, CloseButton, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useT } from '@/i18n/i18n';
import { hasSpareBits, rangeOf, readRange } from './cidr';

/** Ranges from which a key may be used, with an address to try them on. */
export function CidrEditor({ value, onChange, error }: { value: string[]; onChange: (value: string[]) => void; error?: string | undefined }) {
    const t = useT();
    const [text, setText] = useState('');
    const [tried, setTried] = useState('');
    const [fault, setFault] = useState<string | null>(null);
    const found = tried === '' ? undefined : rangeOf(tried, value);
    const add = () => {
        const range = readRange(text);
        if (range === null)
            setFault(t('cidr.bad'));
        else if (hasSpareBits(range))
            setFault(t('cidr.spare'));
        else {
            const [address = '', length] = text.trim().split('/');
            onChange([...new Set([...value, length === undefined ? `${address}/${range.size}` : text.trim()])]);
            setText('');
            setFault(null);
        }
    };
    return (
        <fieldset style={{ border: 0, padding: 0, margin: 0 }} className="stack">
            <TextInput label={t('cidr.label')} description={t('cidr.help')} placeholder="203.0.113.0/24" value={text} error={fault ?? error}
                onChange={(event) => { setText(event.currentTarget.value); }} rightSectionWidth={76}
                rightSection={<Button size="compact-xs" variant="default" onClick={add} disabled={text === ''}>{t('cidr.add')}</Button>}
                onKeyDown={(event) => { if (event.key === 'Enter') { event.preventDefault(); add(); } }} />
            {value.length !== 0 && (
                <ul className="rows card">
                    {value.map((range) => <li key={range} style={{ padding: '6px 8px 6px 12px' }}><span className="mono grow">{range}</span><CloseButton size="sm" aria-label={t('cidr.remove', { range })} onClick={() => { onChange(value.filter((each) => each !== range)); }} /></li>)}
                </ul>
            )}
            {value.length !== 0 && (
                <TextInput label={t('cidr.try')} placeholder="203.0.113.7" value={tried} onChange={(event) => { setTried(event.currentTarget.value); }}
                    description={tried === '' ? t('cidr.try.help') : found === undefined ? t('cidr.try.bad') : found === null ? t('cidr.try.refused') : t('cidr.try.allowed', { range: found })} />
            )}
        </fieldset>
    );
}
