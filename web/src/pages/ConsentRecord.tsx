import { ActionIcon, Autocomplete, Button, SegmentedControl, Select, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { faultsByField } from '@/api/problem';
import { Page, Problem } from '@/components/basics';
import { say } from '@/components/undo';
import { addressOf, channelKinds, channelNames, LANGUAGE, METHOD, PURPOSE, states, usualPurposes } from '@/features/consent/filter';
import { noticeChoices } from '@/features/consent/queries';
import { useT } from '@/i18n/i18n';

interface Line { id: number; name: string; value: string }

/** A decision, by hand. Nothing is granted without what proves it. */
export default function ConsentRecord() {
    const t = useT();
    const navigate = useNavigate();
    const client = useQueryClient();
    const notices = useQuery(noticeChoices);
    const [number, setNumber] = useState('');
    const [channel, setChannel] = useState<typeof channelKinds[number]>('whatsapp');
    const [purpose, setPurpose] = useState('promotional');
    const [state, setState] = useState<typeof states[number]>('granted');
    const [at, setAt] = useState('');
    const [method, setMethod] = useState('');
    const [language, setLanguage] = useState('');
    const [notice, setNotice] = useState<string | null>(null);
    const [lines, setLines] = useState<Line[]>([{ id: 0, name: '', value: '' }]);
    const next = useRef(1);
    const [asked, setAsked] = useState(false);
    const address = addressOf(number);
    const evidence = Object.fromEntries(lines.filter((line) => line.name.trim() !== '' && line.value.trim() !== '').map((line) => [line.name.trim(), line.value.trim()]));
    const isProved = Object.keys(evidence).length !== 0;
    const isWhole = address !== null && PURPOSE.test(purpose) && (method === '' || METHOD.test(method)) && (language === '' || LANGUAGE.test(language)) && (state !== 'granted' || isProved);
    const record = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/consents', { body: {
            address: address ?? '', channel, purpose, state, ...(at === '' ? {} : { at: new Date(at).toISOString() }), ...(method === '' ? {} : { method }), ...(language === '' ? {} : { language }),
            ...(notice === null ? {} : { notice_id: notice }), ...(isProved ? { evidence } : {}),
        } })),
        onSuccess: async (entry) => {
            say(t('consent.recorded'));
            await client.invalidateQueries({ queryKey: keys.consents.all });
            await navigate({ to: '/consent/ledger/$consentId', params: { consentId: entry.id } });
        },
    });
    const faults = faultsByField(record.error);
    const set = (id: number, change: Partial<Line>) => { setLines(lines.map((line) => (line.id === id ? { ...line, ...change } : line))); };
    return (
        <Page title={t('consent.record')} purpose={t('consent.record.purpose')} back={{ to: '/consent/ledger', word: t('nav.consent') }}>
            <form className="form" noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isWhole) record.mutate(); }}>
                {record.isError && <Problem error={record.error} />}
                <TextInput label={t('consent.number')} description={t('consent.number.help')} type="tel" autoComplete="off" value={number} error={(asked && address === null ? t('consent.number.fault') : undefined) ?? faults['/address']} onChange={(event) => { setNumber(event.currentTarget.value); }} />
                <div className="line" style={{ alignItems: 'flex-start', gap: 16 }}>
                    <Select label={t('consent.channel')} style={{ flex: '1 1 180px' }} allowDeselect={false} value={channel} data={channelKinds.map((value) => ({ value, label: channelNames[value] }))} onChange={(value) => { setChannel(channelKinds.find((each) => each === value) ?? channel); }} />
                    <Autocomplete label={t('consent.for')} style={{ flex: '1 1 240px' }} value={purpose} data={usualPurposes} error={asked && !PURPOSE.test(purpose) ? t('consent.purpose.fault') : undefined} onChange={setPurpose} />
                </div>
                <p className="quiet" style={{ margin: '-12px 0 0', fontSize: 12.5 }}>{t('consent.purpose.help')}</p>
                <div>
                    <div id="state-label" style={{ fontSize: 13, fontWeight: 600, marginBottom: 4 }}>{t('consent.state')}</div>
                    <SegmentedControl aria-labelledby="state-label" value={state} data={states.map((value) => ({ value, label: t(`status.${value}`) }))} onChange={(value) => { setState(states.find((each) => each === value) ?? state); }} />
                </div>
                <TextInput label={t('consent.when')} description={t('consent.when.help')} type="datetime-local" styles={{ wrapper: { maxWidth: 260 } }} value={at} error={faults['/at']} onChange={(event) => { setAt(event.currentTarget.value); }} />
                <fieldset style={{ border: 0, margin: 0, padding: 0 }}>
                    <legend style={{ fontSize: 13, fontWeight: 600, padding: 0 }}>{t('consent.evidence')}</legend>
                    <p className="quiet" style={{ margin: '2px 0 8px', fontSize: 12.5 }}>{t('consent.evidence.help')}</p>
                    <div className="stack" style={{ gap: 8 }}>
                        {lines.map((line) => (
                            <div key={line.id} className="line" style={{ flexWrap: 'nowrap' }}>
                                <TextInput style={{ flex: '1 1 40%' }} aria-label={t('consent.evidence.name')} placeholder={t('consent.evidence.name')} value={line.name} onChange={(event) => { set(line.id, { name: event.currentTarget.value }); }} maxLength={60} />
                                <TextInput style={{ flex: '1 1 60%' }} aria-label={t('consent.evidence.value')} placeholder={t('consent.evidence.value')} value={line.value} onChange={(event) => { set(line.id, { value: event.currentTarget.value }); }} maxLength={1000} />
                                {lines.length > 1 && <ActionIcon variant="subtle" color="gray" aria-label={t('consent.evidence.remove')} onClick={() => { setLines(lines.filter(({ id }) => id !== line.id)); }}><IconX size={16} /></ActionIcon>}
                            </div>
                        ))}
                    </div>
                    {asked && state === 'granted' && !isProved && <p role="alert" style={{ color: 'var(--st-red)', margin: '6px 0 0', fontSize: 13 }}>{t('consent.evidence.missing')}</p>}
                    {lines.length < 20 && <Button variant="subtle" size="compact-sm" mt={8} leftSection={<IconPlus size={14} aria-hidden />} onClick={() => { setLines([...lines, { id: next.current++, name: '', value: '' }]); }}>{t('consent.evidence.add')}</Button>}
                </fieldset>
                <div className="line" style={{ alignItems: 'flex-start', gap: 16 }}>
                    <TextInput inputWrapperOrder={['label', 'input', 'description', 'error']} label={t('consent.method')} description={t('consent.method.help')} style={{ flex: '1 1 300px' }} value={method} error={asked && method !== '' && !METHOD.test(method) ? t('consent.method.help') : undefined} onChange={(event) => { setMethod(event.currentTarget.value); }} maxLength={40} />
                    <TextInput inputWrapperOrder={['label', 'input', 'description', 'error']} label={t('consent.language')} description={t('consent.language.help')} style={{ flex: '1 1 160px' }} value={language} error={asked && language !== '' && !LANGUAGE.test(language) ? t('consent.language.help') : undefined} onChange={(event) => { setLanguage(event.currentTarget.value); }} maxLength={35} />
                </div>
                <Select label={t('consent.notice')} description={t('consent.notice.help')} clearable searchable={(notices.data?.length ?? 0) > 12} placeholder={t('consent.notice.none')} value={notice} data={(notices.data ?? []).map((each) => ({ value: each.id, label: `${each.name} ${String(each.version)} (${each.language})` }))} onChange={setNotice} />
                <div className="line"><Button type="submit" loading={record.isPending}>{t('consent.record')}</Button><Button variant="subtle" color="gray" onClick={() => { void navigate({ to: '/consent/ledger' }); }}>{t('cancel')}</Button></div>
            </form>
        </Page>
    );
}
