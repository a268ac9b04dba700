import { Autocomplete, Button, Select, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { faultsByField } from '@/api/problem';
import type { DltMatch } from '@/api/types';
import { Problem } from '@/components/basics';
import { Marked, TemplateText } from '@/features/dlt/pieces';
import { everyHeader } from '@/features/dlt/queries';
import { visible } from '@/features/dlt/text';
import { useLanguage, useT } from '@/i18n/i18n';

const route = getRouteApi('/app/dlt/try');
const categories = ['otp', 'transactional', 'service', 'promotional'] as const;

/** A text, and what the registry would say of it. Nothing is stored or sent. */
export default function DltTry() {
    const t = useT();
    const search = route.useSearch();
    const headers = useQuery(everyHeader);
    const [chosen, setHeader] = useState(search.header);
    const [category, setCategory] = useState<(typeof categories)[number] | null>(null);
    const [templateId, setTemplateId] = useState(search.template ?? '');
    const [text, setText] = useState('');
    const header = chosen ?? headers.data?.find((each) => each.is_active)?.name ?? headers.data?.[0]?.name ?? '';
    const isId = templateId.trim() === '' || /^[0-9]{1,30}$/.test(templateId.trim());
    const match = useMutation({ mutationFn: () => unwrap(api.POST('/v1/dlt/match', { body: { header, text, ...(category === null ? {} : { category }), ...(templateId.trim() === '' ? {} : { template_id: templateId.trim() }) } })) });
    const faults = faultsByField(match.error);
    const isReady = text !== '' && header.length >= 3 && isId;
    return (
        <div className="dlt-try">
            <form className="stack" style={{ gap: 16 }} noValidate onSubmit={(event) => { event.preventDefault(); if (isReady) match.mutate(); }}>
                <p className="quiet" style={{ margin: 0 }}>{t('dlt.try.text')}</p>
                <Textarea label={t('dlt.try.message')} placeholder={t('dlt.try.placeholder')} autosize minRows={5} maxRows={14} maxLength={4096} value={text} error={faults['/text']} onChange={(event) => { setText(event.currentTarget.value); }} onKeyDown={(event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && isReady) match.mutate(); }} />
                <Autocomplete label={t('dlt.header')} data={(headers.data ?? []).map((each) => each.name)} maxLength={11} value={header} error={faults['/header']} onChange={setHeader} />
                <Select label={t('dlt.try.category')} description={t('dlt.try.category.help')} placeholder={t('dlt.try.category.any')} clearable clearButtonProps={{ 'aria-label': t('filter.clear') }} value={category} data={categories.map((value) => ({ value, label: t(`category.${value}`) }))} onChange={(value) => { setCategory(categories.find((each) => each === value) ?? null); }} />
                <TextInput label={t('dlt.try.template')} description={t('dlt.try.template.help')} inputMode="numeric" autoComplete="off" maxLength={30} value={templateId} error={isId ? faults['/template_id'] : t('dlt.id.fault')} onChange={(event) => { setTemplateId(event.currentTarget.value); }} />
                <div className="line"><Button type="submit" disabled={!isReady} loading={match.isPending}>{t('dlt.try.do')}</Button></div>
            </form>
            <div aria-live="polite" style={{ minWidth: 0 }}>
                {match.isError ? <Problem error={match.error} /> : match.data === undefined ? <p className="note quiet" style={{ margin: 0 }}>{t('dlt.try.none')}</p> : <Answer match={match.data} header={match.data.verdict === 'ok' ? header : null} />}
            </div>
        </div>
    );
}

function Answer({ match, header }: { match: DltMatch; header: string | null }) {
    const { t, intl } = useLanguage();
    const isGood = match.verdict === 'ok';
    const template = match.template;
    const Mark = isGood ? IconCircleCheck : IconCircleX;
    return (
        <section className="stack" style={{ gap: 16 }} aria-label={t('dlt.try.answer')}>
            <div className="line" style={{ flexWrap: 'nowrap', alignItems: 'flex-start' }}>
                <Mark size={22} aria-hidden style={{ flex: 'none', color: `var(--st-${isGood ? 'green' : 'red'})` }} />
                <div><h2 style={{ margin: 0 }}>{t(`dlt.verdict.${match.verdict}`)}</h2><p style={{ margin: '2px 0 0' }}>{isGood ? t('dlt.try.shown', { sender: `${header ?? ''}${template?.suffix ?? ''}` }) : <Reason match={match} />}</p></div>
            </div>
            {template !== null && (match.values.length !== 0 || match.found !== null) && (
                <div>
                    <h3 style={{ margin: '0 0 4px' }}>{t('dlt.try.yours')}</h3>
                    <Marked text={match.text} values={match.values} fault={match.found} label={t('dlt.try.yours')} />
                </div>
            )}
            {template !== null && (
                <div>
                    <h3 style={{ margin: '0 0 4px' }}>{t(match.verdict === 'not-matched' ? 'dlt.try.nearest' : 'dlt.template')} <Link to="/dlt/templates/$templateId" params={{ templateId: template.id }}>{template.name}</Link></h3>
                    <TemplateText text={template.text} expected={match.expected} label={t('dlt.template')} />
                    {match.verdict === 'not-matched' && <p className="quiet" style={{ margin: '4px 0 0', fontSize: 13 }}>{t('dlt.try.nearness', { share: intl.formatNumber(match.nearness / 1000, { style: 'percent' }) })}</p>}
                </div>
            )}
            {match.values.length !== 0 && template !== null && (
                <div>
                    <h3 style={{ margin: '0 0 4px' }}>{t('dlt.try.values')}</h3>
                    <ol className="plain">{match.values.map((value, i) => {
                        const variable = template.variables[i];
                        return <li key={i}><strong style={{ overflowWrap: 'anywhere' }}>{value.text === '' ? '–' : value.text}</strong>{variable !== undefined && <span className="quiet"> {t(`dlt.takes.${variable.type}`)}, {t('dlt.variable.most', { count: variable.max_length })}</span>}</li>;
                    })}</ol>
                </div>
            )}
        </section>
    );
}

/** What is wrong, at the very place, and what to do about it. */
function Reason({ match }: { match: DltMatch }) {
    const t = useT();
    const found = visible(match.found?.text ?? ''), expected = visible(match.expected?.text ?? '');
    const number = match.variable ?? 0;
    const variable = match.template?.variables[number - 1];
    if (match.verdict === 'not-matched')
        return <>{found === '' ? t('dlt.fault.missing', { expected }) : expected === '' ? t('dlt.fault.extra', { found }) : t('dlt.fault.text', { found, expected })}</>;
    if (match.verdict === 'variable')
        return <>{match.fault === 'empty' ? t('dlt.fault.empty', { number }) : match.fault === 'too-long' ? t('dlt.fault.long', { number, count: variable?.max_length ?? 0 }) : t('dlt.fault.type', { number, takes: variable === undefined ? '' : t(`dlt.takes.${variable.type}`) })}</>;
    if (match.verdict === 'link')
        return <>{t(match.fault === 'expired' ? 'dlt.fault.expired' : 'dlt.fault.unlisted', { found: match.found?.text ?? '' })} <Link to="/dlt/links">{t('dlt.links')}</Link></>;
    return match.verdict === 'ok' ? null : <>{t(`dlt.verdict.${match.verdict}.help`)}</>;
}
