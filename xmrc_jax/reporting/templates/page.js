// Says which tables are wider than the window; browses the comparisons: filters, pages of 20. Everything from data becomes text, never markup.
'use strict';
const PAGE = 20;
const element = (tag, attributes, ...children) => {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
};

const wide = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    target.previousElementSibling.hidden = target.scrollWidth <= target.clientWidth;
  }
});
for (const table of document.querySelectorAll('.hint + .scroll')) wide.observe(table);

// The text in pieces, each within what is underlined, shaded or framed there: [start, end, tag, class].
const marked = (text, spans) => {
  const real = spans.filter(([start, end]) => start < end);
  const cuts = [...new Set([0, text.length, ...real.flatMap(([start, end]) => [start, end])])];
  cuts.sort((one, other) => one - other);
  return cuts.slice(0, -1).map((start, i) => {
    const own = real.filter((span) => span[0] <= start && cuts[i + 1] <= span[1]);
    let piece = document.createTextNode(text.slice(start, cuts[i + 1]));
    for (const tag of new Set(own.map((span) => span[2]))) {
      const className = own.filter((span) => span[2] === tag).map((span) => span[3]).join(' ');
      piece = element(tag, { className }, piece);
    }
    return piece;
  });
};

for (const root of document.querySelectorAll('.comparison')) {
  const data = JSON.parse(root.querySelector('script').textContent);
  const list = root.querySelector('.rows');
  const count = root.querySelector('.count');
  const [back, on] = root.querySelectorAll('button');
  const choice = (name) => root.querySelector(`[name=${name}]`);
  const folded = data.rows.map((row) => `${row[5]}\n${row[6]}\n${row[7].join('\n')}\n${row[8]}\n`
    .concat(row[9], '\n', data.passages[row[2]]).normalize('NFC').toLowerCase());
  let page = 0;

  const spoken = (tag, text, set, question) => element(tag, {
    lang: set[question ? 2 : 1], dir: set[question ? 4 : 3], textContent: text,
  });
  const shown = (row) => {
    const [place, kind, passage, start, end, id, question, golds, a, b, f1a, f1b, ...found] = row;
    const set = data.sets[place];
    const text = data.passages[passage];
    const word = data.kinds[kind];
    const around = spoken('p', '', set, false);
    around.className = 'passage';
    around.append(...marked(text, [[start, end, 'u', 'gold'], [found[0], found[1], 'mark', 'a'],
      [found[2], found[3], 'mark', 'b']]));
    const answers = element('dl', {});
    const lines = [['gold', golds, ''], [data.a, [a], ` F1 ${f1a}`], [data.b, [b], ` F1 ${f1b}`]];
    for (const [name, texts, score] of lines) {
      const cell = element('dd', {});
      texts.forEach((each, i) => cell.append(i ? ' · ' : '', spoken('bdi', each || '(no answer)', set)));
      cell.append(element('small', { textContent: score }));
      answers.append(element('dt', { textContent: name }), cell);
    }
    const heading = element('h4', {}, element('span', { className: word, textContent: word }),
      ` · ${set[0]} ${set[1]}${set[1] === set[2] ? '' : `, question ${set[2]}`} · ${id}`);
    return element('article', { className: 'row' }, heading, spoken('p', question, set, true), answers,
      around);
  };
  const show = () => {
    const kind = choice('kind').value;
    const place = choice('dataset').value;
    const language = choice('language').value;
    const words = choice('text').value.normalize('NFC').toLowerCase();
    const found = data.rows.filter((row, i) => {
      const set = data.sets[row[0]];
      return (kind === '' || data.kinds[row[1]] === kind) && (place === '' || set[0] === place)
        && (language === '' || set[1] === language) && folded[i].includes(words);
    });
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    page = Math.min(page, last);
    list.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(shown));
    count.textContent = `${found.length} of ${data.rows.length} questions, page ${page + 1} of ${last + 1}`;
    back.disabled = page === 0;
    on.disabled = page === last;
  };
  const options = (name, values) => choice(name).append(
    ...[...new Set(values)].map((value) => element('option', { value, textContent: value })));
  options('kind', data.kinds);
  options('dataset', data.sets.map((set) => set[0]));
  options('language', data.sets.map((set) => set[1]));
  root.querySelector('form').addEventListener('input', () => { page = 0; show(); });
  root.querySelector('form').addEventListener('submit', (event) => event.preventDefault());
  back.addEventListener('click', () => { page -= 1; show(); });
  on.addEventListener('click', () => { page += 1; show(); });
  show();
}
