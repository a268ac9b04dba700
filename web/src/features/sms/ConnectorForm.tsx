import { Button, MultiSelect, NumberInput, PasswordInput, Select, Switch, Textarea, TextInput } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { faultsByField } from '@/api/problem';
import { Problem } from '@/components/basics';
import { useT, type Word } from '@/i18n/i18n';
import { alphabets, changeBody, draftOf, faultsOf, fresh, further, indiaTags, isMoved, joinings, languages, rangeOf, receiptIds, senders, type Draft, type Ranged } from './form';
import type { SmsConnector } from '@/api/types';

/* Where the API's pointers are shown. */
const pointers: Partial<Record<keyof Draft, string[]>> = {
    transceivers: ['/binds', '/binds/transceivers'], transmitters: ['/binds/transmitters'], receivers: ['/binds/receivers'], joining: ['/encoding/joining'], alphabet: ['/encoding/alphabet'], languages: ['/encoding/languages', '/encoding'],
    ids: ['/receipts/ids'], zone_minutes: ['/receipts/zone_minutes', '/receipts'], country_code: ['/addressing/country_code'], numbering: ['/addressing'], entity_tag: ['/dlt/entity_tag', '/dlt'], template_tag: ['/dlt/template_tag'], chain_tag: ['/dlt/chain_tag'],
};

function Group({ title, text, children }: { title: string; text?: string; children: ReactNode }) {
    return <section className="stack"><div><h2 style={{ margin: 0 }}>{title}</h2>{text !== undefined && <p className="quiet" style={{ margin: '4px 0 0' }}>{text}</p>}</div>{children}</section>;
}

/** An operator's account and how it wants things. What is asked of everybody is above; what most operators have alike is folded away. */
export function ConnectorForm({ of, error, isBusy, isMine = true, act, onSave, onCancel }: { of: SmsConnector | null; error: unknown; isBusy: boolean; isMine?: boolean; act: string; onSave: (draft: Draft, before: Draft) => void; onCancel?: () => void }) {
    const t = useT();
    /* As it was when the form was opened: what somebody else changes meanwhile is not written back. */
    const [before] = useState<Draft>(() => of === null ? fresh : draftOf(of));
    const [draft, setDraft] = useState<Draft>(before);
    const [asked, setAsked] = useState(false);
    const [isOpen, setOpen] = useState(false);
    const wrong = faultsOf(of === null ? null : before, draft);
    const told = faultsByField(error);
    const toldOf = (field: keyof Draft) => (pointers[field] ?? [`/${field}`]).map((pointer) => told[pointer]).find((each) => each !== undefined);
    const faultOf = (field: keyof Draft): string | undefined => { const word = wrong[field]; return asked && word !== undefined ? t(word, field in wrong && isRanged(field) ? { least: rangeOf(field)[0], most: rangeOf(field)[1] } : { least: 0, most: 255 }) : toldOf(field); };
    const set = (part: Partial<Draft>) => { setDraft({ ...draft, ...part }); };
    const isNew = of === null, moves = !isNew && isMoved(before, draft);
    const isChanged = isNew || changeBody(before, draft) !== null;
    const showsFurther = isOpen || [...further].some((field) => faultOf(field as keyof Draft) !== undefined);
    const text = (field: 'name' | 'host' | 'system_id' | 'system_type' | 'address_range' | 'service_type', more: { help?: Word; max: number; placeholder?: string; isCode?: boolean }) => (
        <TextInput label={t(`sms.${field}`)} description={more.help === undefined ? undefined : t(more.help)} value={draft[field]} error={faultOf(field)} maxLength={more.max} disabled={!isMine} autoComplete="off" spellCheck={false} placeholder={more.placeholder}
            onChange={(event) => { set({ [field]: field === 'name' ? event.currentTarget.value : event.currentTarget.value.trim() }); }} />
    );
    const count = (field: Ranged, more: { help?: Word; width?: number; placeholder?: string } = {}) => (
        <NumberInput label={t(`sms.${field}`)} description={more.help === undefined ? undefined : t(more.help)} value={draft[field]} error={faultOf(field)} disabled={!isMine} allowDecimal={false} allowNegative={rangeOf(field)[0] < 0} style={{ flex: `1 1 ${more.width ?? 160}px` }} placeholder={more.placeholder}
            onChange={(value) => { set({ [field]: typeof value === 'number' ? value : '' }); }} />
    );
    return (
        <form className="form" style={{ gap: 32 }} noValidate autoComplete="off" onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isMine && isChanged && Object.keys(wrong).length === 0) onSave(draft, before); }}>
            {error !== null && <Problem error={error} />}
            <Group title={t('sms.account')} text={t('sms.account.text')}>
                {text('name', { help: 'sms.name.help', max: 120 })}
                <div className="line" style={{ alignItems: 'flex-start', gap: 12 }}>
                    <div style={{ flex: '3 1 260px' }}>{text('host', { max: 253, placeholder: 'smpp.operator.example' })}</div>
                    {count('port', { width: 100 })}
                </div>
                <Switch label={t('sms.tls')} description={t('sms.tls.help')} checked={draft.tls} disabled={!isMine} onChange={(event) => { set({ tls: event.currentTarget.checked }); }} />
                {!draft.tls && <p className="note" role="status" style={{ margin: 0 }}>{t('sms.tls.off')}</p>}
                {text('system_id', { help: 'sms.system_id.help', max: 15 })}
                <PasswordInput label={t(isNew ? 'sms.password' : 'sms.password.new')} description={t(isNew ? 'sms.password.help' : moves ? 'sms.password.moved' : 'sms.password.keep')} value={draft.password} error={faultOf('password')} maxLength={64} disabled={!isMine} autoComplete="new-password"
                    visibilityToggleButtonProps={{ 'aria-label': t('connect.show') }} onChange={(event) => { set({ password: event.currentTarget.value }); }} />
            </Group>
            <Group title={t('sms.pace')} text={t('sms.pace.text')}>
                <div className="line" style={{ alignItems: 'flex-start', gap: 12 }}>{count('transceivers')}{count('transmitters')}{count('receivers')}</div>
                <div className="line" style={{ alignItems: 'flex-start', gap: 12 }}>{count('per_second', { help: 'sms.per_second.help', width: 240 })}{count('window', { help: 'sms.window.help', width: 240 })}</div>
            </Group>
            <Group title={t('sms.dlt')} text={t('sms.dlt.text')}>
                <div className="line" style={{ alignItems: 'flex-start', gap: 12 }}>{count('entity_tag', { placeholder: '–' })}{count('template_tag', { placeholder: '–' })}{count('chain_tag', { placeholder: '–' })}</div>
                <div className="line" style={{ gap: 16 }}>
                    <Button variant="default" size="xs" disabled={!isMine || Object.entries(indiaTags).every(([field, tag]) => draft[field as keyof typeof indiaTags] === tag)} onClick={() => { set(indiaTags); }}>{t('sms.dlt.usual')}</Button>
                    <Switch label={t('sms.ends_with_nul')} checked={draft.ends_with_nul} disabled={!isMine} onChange={(event) => { set({ ends_with_nul: event.currentTarget.checked }); }} />
                </div>
            </Group>
            <details className="more" open={showsFurther} onToggle={(event) => { setOpen(event.currentTarget.open); }}>
                <summary style={{ fontSize: 14 }}>{t('sms.further')}</summary>
                <div className="stack" style={{ gap: 24, marginTop: 20 }}>
                    {draft.tls && <Textarea label={t('sms.tls_ca')} description={t('sms.tls_ca.help')} value={draft.tls_ca} error={faultOf('tls_ca')} disabled={!isMine} autosize minRows={2} maxRows={8} maxLength={16_384} placeholder="-----BEGIN CERTIFICATE-----" spellCheck={false} classNames={{ input: 'mono' }} onChange={(event) => { set({ tls_ca: event.currentTarget.value }); }} />}
                    <div className="line" style={{ alignItems: 'flex-start', gap: 12 }}>
                        {(['system_type', 'service_type', 'address_range'] as const).map((field) => <div key={field} style={{ flex: '1 1 160px' }}>{text(field, { max: { system_type: 12, service_type: 5, address_range: 40 }[field] })}</div>)}
                    </div>
                    <div className="line" style={{ alignItems: 'flex-start', gap: 12 }}>{count('enquire_s', { help: 'sms.enquire_s.help', width: 240 })}{count('answer_s', { help: 'sms.answer_s.help', width: 240 })}</div>
                    {count('validity_max_s', { help: 'sms.validity_max_s.help', placeholder: '–' })}
                    <Select label={t('sms.joining')} description={t('sms.joining.help')} allowDeselect={false} disabled={!isMine} value={draft.joining} error={faultOf('joining')} data={joinings.map((value) => ({ value, label: t(`sms.joining.${value}`) }))} onChange={(value) => { set({ joining: joinings.find((each) => each === value) ?? draft.joining }); }} />
                    <Select label={t('sms.alphabet')} description={t('sms.alphabet.help')} allowDeselect={false} disabled={!isMine} value={draft.alphabet} error={faultOf('alphabet')} data={alphabets.map((value) => ({ value, label: t(`sms.alphabet.${value}`) }))} onChange={(value) => { set({ alphabet: alphabets.find((each) => each === value) ?? draft.alphabet }); }} />
                    <MultiSelect label={t('sms.languages')} description={t('sms.languages.help')} searchable hidePickedOptions disabled={!isMine} value={draft.languages} error={faultOf('languages')} data={languages.map((value) => ({ value, label: t(`sms.language.${value}`) }))} onChange={(chosen) => { set({ languages: languages.filter((each) => chosen.includes(each)) }); }} />
                    <Select label={t('sms.ids')} description={t('sms.ids.help')} allowDeselect={false} disabled={!isMine} value={draft.ids} error={faultOf('ids')} data={receiptIds.map((value) => ({ value, label: t(`sms.ids.${value}`) }))} onChange={(value) => { set({ ids: receiptIds.find((each) => each === value) ?? draft.ids }); }} />
                    {count('zone_minutes', { help: 'sms.zone_minutes.help' })}
                    <Switch label={t('sms.has_india_codes')} description={t('sms.has_india_codes.help')} checked={draft.has_india_codes} disabled={!isMine} onChange={(event) => { set({ has_india_codes: event.currentTarget.checked }); }} />
                    {count('country_code', { help: 'sms.country_code.help', placeholder: '–' })}
                    <fieldset style={{ border: 0, margin: 0, padding: 0 }}>
                        <legend style={{ fontWeight: 500, padding: 0 }}>{t('sms.numbering')}</legend>
                        <p className="quiet" style={{ margin: '2px 0 8px', fontSize: 12.5 }}>{t('sms.numbering.help')}</p>
                        {faultOf('numbering') !== undefined && <p role="alert" style={{ margin: '0 0 8px', color: 'var(--st-red)', fontSize: 13 }}>{faultOf('numbering')}</p>}
                        {senders.map((sender) => (
                            <div key={sender} className="line" style={{ gap: 12, marginBottom: 8 }}>
                                <span style={{ flex: '1 1 160px' }}>{t(`sms.numbering.${sender}`)}</span>
                                {(['ton', 'npi'] as const).map((part) => (
                                    <NumberInput key={part} w={104} aria-label={`${t(`sms.numbering.${sender}`)}: ${part.toUpperCase()}`} leftSection={<span className="quiet" style={{ fontSize: 11 }}>{part.toUpperCase()}</span>} leftSectionWidth={40} allowDecimal={false} allowNegative={false} disabled={!isMine}
                                        value={draft.numbering[sender][part]} onChange={(value) => { set({ numbering: { ...draft.numbering, [sender]: { ...draft.numbering[sender], [part]: typeof value === 'number' ? value : '' } } }); }} />
                                ))}
                            </div>
                        ))}
                    </fieldset>
                </div>
            </details>
            <div className="line"><Button type="submit" disabled={!isMine || !isChanged} title={isMine ? undefined : t('may.not')} loading={isBusy}>{act}</Button>{onCancel !== undefined && <Button variant="subtle" color="gray" onClick={onCancel}>{t('cancel')}</Button>}</div>
        </form>
    );
}

function isRanged(field: string): field is Ranged {
    return ['port', 'transceivers', 'transmitters', 'receivers', 'window', 'per_second', 'enquire_s', 'answer_s', 'zone_minutes', 'validity_max_s', 'entity_tag', 'template_tag', 'chain_tag', 'country_code'].includes(field);
}
