import type { ReactNode } from 'react';

/** A heading, what it is for, its one act at the right, and what there is. */
export function Section({ id, title, text, act, children }: { id: string; title: string; text: string; act?: ReactNode; children: ReactNode }) {
    return (
        <section className="section" aria-labelledby={id}>
            <div className="account-head">
                <div className="grow"><h2 id={id} style={{ margin: 0 }}>{title}</h2><p className="quiet" style={{ margin: '2px 0 0' }}>{text}</p></div>
                {act}
            </div>
            {children}
        </section>
    );
}
