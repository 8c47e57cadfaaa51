// The page works without this. It lets the marks of the t-SNE planes be looked at one by one, and
// opens what is folded before the page is printed.
(() => {
  'use strict';
  const opened = [];
  addEventListener('beforeprint', () => {
    for (const fold of document.querySelectorAll('details:not([open])')) {
      fold.open = true;
      opened.push(fold);
    }
  });
  addEventListener('afterprint', () => {
    for (const fold of opened.splice(0)) fold.open = false;
  });

  // Where CSS cannot show one term of a folded glossary, all of it is open.
  if (!CSS.supports('selector(::details-content)')) document.querySelector('.all-terms').open = true;

  for (const planes of document.querySelectorAll('.planes')) explore(planes);

  function explore(planes) {
    const posts = [...planes.querySelectorAll('.posts > li')];
    const shown = planes.querySelector('.shown');
    const svgs = [...planes.querySelectorAll('svg.plane')];
    const marks = svgs.map((svg) => [...svg.querySelectorAll('.mark')]);
    const rings = svgs.map((svg) => [...svg.querySelectorAll('.ring')]);
    const wrongs = posts.map((post, i) => (post.dataset.wrong ? i : -1)).filter((i) => i >= 0);
    const halos = svgs.map((svg) => svg.querySelector('.halo'));
    const filter = planes.querySelector('.filter');
    const select = filter.querySelector('select');
    const hidden = (i) => marks[0][i].classList.contains('off');
    const place = (mark) => [mark.x.baseVal.value, mark.y.baseVal.value];
    let current = -1;

    filter.hidden = false;
    planes.querySelector('.invite').hidden = false;
    select.addEventListener('change', () => {
      posts.forEach((post, i) => {
        const { slice, wrong } = post.dataset;
        const on = !select.value || select.value === slice || (select.value === '*wrong' && wrong);
        for (const all of marks) all[i].classList.toggle('off', !on);
      });
      for (const all of rings) all.forEach((ring, n) => ring.classList.toggle('off', hidden(wrongs[n])));
      if (current >= 0 && hidden(current)) forget();
      svgs.forEach((svg, p) => {
        if (!svg.querySelector('.mark[tabindex="0"]:not(.off)')) makeStop(p, firstOf(p));
      });
    });

    svgs.forEach((svg, p) => {
      svg.setAttribute('role', 'group');
      marks[p].forEach((mark, i) => {
        mark.querySelector('title')?.remove(); // its text stands below the planes
        mark.setAttribute('role', 'img');
        mark.setAttribute('aria-label', posts[i].dataset.name);
        mark.setAttribute('tabindex', '-1');
        mark.addEventListener('focus', () => show(i));
      });
      makeStop(p, firstOf(p));
      svg.addEventListener('pointermove', (event) => show(nearest(svg, p, event)));
      svg.addEventListener('pointerdown', (event) => show(nearest(svg, p, event)));
      svg.addEventListener('keydown', (event) => {
        const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
        const i = marks[p].indexOf(document.activeElement);
        if (i < 0) return;
        if (event.key === 'Escape') forget();
        if (!(event.key in way)) return;
        event.preventDefault();
        const next = neighbour(p, i, way[event.key]);
        if (next < 0) return;
        makeStop(p, next);
        marks[p][next].focus();
      });
    });

    // Of each plane one mark can be reached with Tab, and the arrow keys go on from there.
    function makeStop(p, i) {
      for (const mark of marks[p]) if (mark.getAttribute('tabindex') === '0') mark.setAttribute('tabindex', '-1');
      marks[p][i]?.setAttribute('tabindex', '0');
    }

    function firstOf(p) {
      return marks[p].findIndex((mark) => !mark.classList.contains('off'));
    }

    function nearest(svg, p, event) {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale;
      const y = svg.viewBox.baseVal.y + (event.clientY - box.top) * scale;
      let [best, least] = [-1, 24];
      marks[p].forEach((mark, i) => {
        const [u, v] = place(mark);
        const distance = Math.hypot(u - x, v - y);
        if (distance < least && !hidden(i)) [best, least] = [i, distance];
      });
      return best;
    }

    function neighbour(p, i, [dx, dy]) {
      const [x, y] = place(marks[p][i]);
      let [best, least] = [-1, Infinity];
      marks[p].forEach((mark, j) => {
        const [u, v] = place(mark);
        const ahead = (u - x) * dx + (v - y) * dy;
        const aside = Math.abs((u - x) * dy) + Math.abs((v - y) * dx);
        if (j !== i && !hidden(j) && ahead > 0 && ahead + 3 * aside < least) [best, least] = [j, ahead + 3 * aside];
      });
      return best;
    }

    function show(i) {
      if (i < 0 || i === current) return;
      current = i;
      halos.forEach((halo, p) => {
        const [x, y] = place(marks[p][i]);
        halo.setAttribute('cx', x);
        halo.setAttribute('cy', y);
        halo.classList.add('on');
      });
      shown.replaceChildren(...[...posts[i].childNodes].map((node) => node.cloneNode(true)));
    }

    function forget() {
      current = -1;
      for (const halo of halos) halo.classList.remove('on');
      shown.replaceChildren();
    }
  }
})();
