import { Button, MultiSelect, NumberInput, SegmentedControl, Select, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useSuspenseQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { faultsByField } from '@/api/problem';
import type { DltTemplate } from '@/api/types';
import { Problem } from '@/components/basics';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';
import { categories, states } from './filter';
import { dltQuery, everyHeader, useStale } from './queries';
import { lengths, toldBeside, types, variablesOf, type Variable } from './text';

const isId = (text: string) => /^[0-9]{1,30}$/.test(text.trim());

/** As the portal shows it: a new one, or what is changed of one. */
export function TemplateForm({ template, onDone }: { template: DltTemplate | null; onDone: (template: DltTemplate) => void }) {
    const t = useT();
    const stale = useStale();
    const { data: overview } = useSuspenseQuery(dltQuery);
    const headers = useQuery(everyHeader);
    const [entity, setEntity] = useState(template?.entity_id ?? overview.entities[0]?.id ?? '');
    const [kind, setKind] = useState(template?.kind ?? 'content');
    const [id, setId] = useState(template?.registered_id ?? '');
    const [name, setName] = useState(template?.name ?? '');
    const [category, setCategory] = useState(categories.find((each) => each === template?.category) ?? 'service');
    const [text, setText] = useState(template?.text ?? '');
    const [chosen, setChosen] = useState<Record<number, Variable>>(Object.fromEntries((template?.variables ?? []).map((variable, i) => [i, variable])));
    const [names, setNames] = useState<string[]>(template?.headers ?? []);
    const [consent, setConsent] = useState(template?.consent_template_id ?? '');
    const [state, setState] = useState(template?.state ?? 'active');
    const [asked, setAsked] = useState(false);
    const plain = variablesOf(text);
    /* What its tags say, until something else is chosen for it; of another text nothing is kept. */
    const variables = (plain ?? []).map((variable, i) => (text === template?.text || variable.type === 'var' ? chosen[i] ?? variable : variable));
    const isPromotional = category === 'promotional' || category === 'service-explicit';
    const isWhole = isId(id) && name.trim() !== '' && text.trim() !== '' && plain !== null && (consent.trim() === '' || isId(consent));
    const beside = toldBeside(text, variables);
    const save = useMutation({
        mutationFn: () => {
            const said = {
                name: name.trim(), text, headers: names, state, ...(kind === 'content' ? { category } : {}), ...(beside.length === 0 && template === null ? {} : { variables: beside }),
                ...(consent.trim() === '' ? {} : { consent_template_id: consent.trim() }),
            };
            return template === null ? unwrap(api.POST('/v1/dlt/templates', { body: { entity_id: entity, kind, registered_id: id.trim(), ...said } }))
                : unwrap(api.PATCH('/v1/dlt/templates/{dlt_template_id}', { params: { path: { dlt_template_id: template.id } }, body: said }));
        },
        onSuccess: async (saved) => { await stale(); say(t('dlt.saved')); onDone(saved); },
    });
    const faults = faultsByField(save.error);
    const choices = (headers.data ?? []).filter((header) => header.entity_id === entity && (kind === 'consent' || isPromotional || !header.is_promotional)).map((header) => header.name);
    return (
        <form className="stack" style={{ gap: 20 }} noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isWhole) save.mutate(); }}>
            {save.isError && <Problem error={save.error} />}
            {template === null && overview.entities.length > 1 && <Select label={t('dlt.entity')} allowDeselect={false} value={entity} data={overview.entities.map((each) => ({ value: each.id, label: each.name }))} onChange={(value) => { setEntity(value ?? entity); setNames([]); }} />}
            {template === null && <SegmentedControl aria-label={t('dlt.kind')} value={kind} data={[{ value: 'content', label: t('dlt.kind.content') }, { value: 'consent', label: t('dlt.kind.consent') }]} onChange={(value) => { setKind(value === 'consent' ? 'consent' : 'content'); }} />}
            {template === null && <TextInput label={t('dlt.template.id')} description={t('dlt.template.id.help')} inputMode="numeric" autoComplete="off" maxLength={30} value={id} error={asked && !isId(id) ? t('dlt.id.fault') : faults['/registered_id']} onChange={(event) => { setId(event.currentTarget.value); }} />}
            <TextInput label={t('dlt.name')} autoComplete="off" maxLength={200} value={name} error={asked && name.trim() === '' ? t('dlt.name.fault') : faults['/name']} onChange={(event) => { setName(event.currentTarget.value); }} />
            {kind === 'content' && <Select label={t('dlt.category')} description={t('dlt.category.help')} allowDeselect={false} value={category} error={faults['/category']} data={categories.map((value) => ({ value, label: t(`dlt.category.${value}`) }))} onChange={(value) => { setCategory(categories.find((each) => each === value) ?? category); }} />}
            <Textarea label={t('dlt.text')} description={t('dlt.text.help')} autosize minRows={3} maxRows={12} maxLength={4096} value={text} error={plain === null ? t('dlt.text.tag') : asked && text.trim() === '' ? t('dlt.text.fault') : faults['/text']} onChange={(event) => { setText(event.currentTarget.value); }} />
            {variables.length !== 0 && (
                <fieldset style={{ border: 0, margin: 0, padding: 0 }} className="stack">
                    <legend style={{ fontWeight: 500, padding: 0 }}>{t('dlt.variables')}</legend>
                    <p className="quiet" style={{ margin: '-12px 0 0', fontSize: 13 }}>{t('dlt.variables.help')}</p>
                    {variables.map((variable, i) => (
                        <div key={i} className="line" style={{ alignItems: 'flex-end' }} role="group" aria-label={t('dlt.variable', { number: i + 1 })}>
                            <Select label={t('dlt.variable', { number: i + 1 })} style={{ flex: '1 1 180px' }} allowDeselect={false} disabled={plain?.[i]?.type !== 'var'} value={variable.type} data={types.map((value) => ({ value, label: t(`dlt.takes.${value}`) }))} onChange={(value) => { const type = types.find((each) => each === value) ?? variable.type; setChosen({ ...chosen, [i]: { type, max_length: lengths[type] } }); }} />
                            <NumberInput label={t('dlt.variable.length')} w={120} min={1} max={200} allowDecimal={false} value={variable.max_length} onChange={(value) => { if (typeof value === 'number') setChosen({ ...chosen, [i]: { ...variable, max_length: value } }); }} />
                        </div>
                    ))}
                </fieldset>
            )}
            <MultiSelect label={t('dlt.headers')} description={t('dlt.template.headers.help')} searchable hidePickedOptions value={names} data={[...new Set([...choices, ...names])]} error={faults['/headers']} onChange={setNames} nothingFoundMessage={t('dlt.none')} />
            {isPromotional && kind === 'content' && <TextInput label={t('dlt.template.consent')} description={t('dlt.template.consent.help')} inputMode="numeric" autoComplete="off" maxLength={30} value={consent} error={consent.trim() === '' || isId(consent) ? faults['/consent_template_id'] : t('dlt.id.fault')} onChange={(event) => { setConsent(event.currentTarget.value); }} />}
            <Select label={t('dlt.state')} description={t('dlt.state.help')} allowDeselect={false} value={state} data={states.map((value) => ({ value, label: t(`dlt.state.${value}`) }))} onChange={(value) => { setState(states.find((each) => each === value) ?? state); }} />
            <div className="line"><Button type="submit" loading={save.isPending}>{t(template === null ? 'dlt.template.add' : 'save')}</Button></div>
        </form>
    );
}
