// CPU and memory of the flag, interleaved: no-op calls with and without.
import { readdirSync, readFileSync } from 'node:fs';
import { buildProgram, startServer, memoryOf } from './support/program.ts';
import { connectMcp } from './support/mcp.ts';
import { inTurn, median, sum } from './support/statistics.ts';
const p=await buildProgram();
const env={MCP_PLUGINS:process.cwd()+'/bench/support/no-op.ts',MCP_PROFILES:'bench'};
const cpu=(pid:number)=>sum(readdirSync(`/proc/${pid}/task`).map(t=>Number(readFileSync(`/proc/${pid}/task/${t}/schedstat`,'utf8').split(' ')[0])))/1e6;
const mk=async(env2:object,node:string[])=>{const s=await startServer(p,{env:{...env,...env2},node});const m=connectMcp(s.url);return{s,m,spend:async()=>{const b=cpu(s.pid);let left=1000;await Promise.all(Array.from({length:8},async()=>{while(left-->0)await m.send('tools/call',{name:'bench_do_nothing',arguments:{}})}));return (cpu(s.pid)-b)}}};
const a=await mk({},[]);const b=await mk({},['--optimize-for-size']);const c=await mk({MCP_LOG_LEVEL:'error'},[]);const d=await mk({},['--max-semi-space-size=2']);
const r=await inTurn({base:a.spend,ofs:b.spend,nolog:c.spend,semi2:d.spend},{rounds:9,warmUp:4});
for(const [k,v] of Object.entries(r))console.log(k,median(v).toFixed(0),'us/call');
console.log('rss',[a,b,c,d].map(x=>Math.round(memoryOf(x.s.pid)/2**20)));
for(const x of [a,b,c,d]){await x.m.close();await x.s.stop()}await p.remove();process.exit(0);
