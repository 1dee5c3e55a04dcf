import { seat, identities, addressOf, until, gossips, TOPIC, stopAll } from './kit.ts'
const people = identities(2)
const a = await seat(people[0]!, people, { timing: {tickMs:250} })
const b = await seat(people[1]!, people, { bootstrap: [addressOf(a)] })
await until('g', () => gossips(a,b)&&gossips(b,a))
const s=performance.now(); await stopAll(); console.log('stop', (performance.now()-s).toFixed(0))
process.on('exit',()=>console.log('exit after',(performance.now()-s).toFixed(0)))
const ah=(await import('node:async_hooks'))
setTimeout(()=>console.log(process.getActiveResourcesInfo()),1000).unref()
