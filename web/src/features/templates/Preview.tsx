import { IconPhoto } from '@tabler/icons-react';
import { useT } from '@/i18n/i18n';
import { filledIn, type Part } from './preview';

/** As the handset shows it. */
export function Preview({ parts, samples = {} }: { parts: Part[]; samples?: Record<string, string> }) {
    const t = useT();
    return (
        <div className="handset" role="img" aria-label={t('templates.preview')}>
            <div className="bubble">
                {parts.filter((part) => part.type.toUpperCase() !== 'BUTTONS').map((part, i) => {
                    const type = part.type.toUpperCase();
                    if (type === 'HEADER' && part.text === undefined)
                        return <div key={i} className="quiet" style={{ display: 'grid', placeItems: 'center', height: 96, background: 'var(--hk-sunk)', borderRadius: 6, marginBottom: 8 }}><IconPhoto size={28} stroke={1.4} /></div>;
                    return <div key={i} style={type === 'HEADER' ? { fontWeight: 640, marginBottom: 4 } : type === 'FOOTER' ? { fontSize: 12, color: 'var(--mantine-color-dimmed)', marginTop: 6 } : undefined}>{filledIn(part.text ?? '', samples)}</div>;
                })}
            </div>
            {parts.flatMap((part) => part.buttons ?? []).map((button, i) => <div key={i} className="bubble">{button.text ?? button.type}</div>)}
        </div>
    );
}
