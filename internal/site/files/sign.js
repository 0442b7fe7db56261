// The sign in a page's head: how its link is, in a word, and why.

const $ = id => document.getElementById(id)

function write(node, text) {
  if (node.textContent !== text) node.textContent = text
}

// sign shows the states of a link (link.js) by these words, and calls retry when
// the reader does not want to wait. show answers what the trouble is: why the
// link broke, until it is live again. forget has it be none.
export function sign(words, retry) {
  let countdown = 0
  let trouble = ''
  $('retry').addEventListener('click', retry)
  return {
    show(name, { reason, until = 0 } = {}) {
      clearInterval(countdown)
      trouble = name === 'waiting' || name === 'refused' ? reason : name === 'connecting' ? trouble : ''
      // While it tries again and again, the word stays: nobody needs to hear it change each time.
      const shown = name === 'connecting' && trouble ? 'waiting' : name
      $('link').dataset.state = shown
      write($('link-state'), words[shown])
      $('retry').hidden = shown !== 'waiting'
      const more = () => {
        const left = Math.ceil((until - performance.now()) / 1000)
        write($('link-more'), shown !== 'waiting' ? trouble : `${trouble}; ${left > 0 ? `next try in ${left} s` : 'trying now'}`)
      }
      more()
      if (name === 'waiting') countdown = setInterval(more, 250)
      return trouble
    },
    forget() {
      trouble = ''
    },
  }
}
