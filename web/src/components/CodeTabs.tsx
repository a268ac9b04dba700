import { Tabs } from '@mantine/core';
import { useT } from '@/i18n/i18n';
import { Copy } from './basics';
import { exampleOf, languages } from './examples';

/** One request in the languages that people use, with their own key and ids in it. */
export function CodeTabs({ method, path, body, bearer }: { method: string; path: string; body?: unknown; bearer: string }) {
    const t = useT();
    return (
        <Tabs defaultValue="curl" keepMounted={false} aria-label={t('code.label')}>
            <Tabs.List mb={8}>{languages.map((language) => <Tabs.Tab key={language.id} value={language.id}>{language.name}</Tabs.Tab>)}</Tabs.List>
            {languages.map((language) => {
                const text = exampleOf(language.id, { method, url: `${location.origin}${path}`, bearer, body });
                return <Tabs.Panel key={language.id} value={language.id}><div style={{ position: 'relative' }}><div style={{ position: 'absolute', right: 8, top: 8 }}><Copy text={text} /></div><pre className="pre" tabIndex={0} style={{ paddingRight: 40 }}>{text}</pre></div></Tabs.Panel>;
            })}
        </Tabs>
    );
}
