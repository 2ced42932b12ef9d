import base64, gzip, io, json, re, sqlite3, sys, zipfile, tempfile, shutil, traceback
from pathlib import Path
import numpy as np, pandas as pd
from mlestar.data.task import Task
from mlestar.evaluation import search_holdout, stage
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.revealing import decide
from tests.unit.reveal_layouts import make_tables, write_tables
PLAN = SplitPlan(kind="random", fraction=0.3)
P={}
def probe(f): P[f.__name__]=f; return f
def pairs(tr): return list(zip(tr["id"], tr["label"]))
@probe
def parquet_meta(d,tr,te):
    import pyarrow as pa, pyarrow.parquet as pq
    t=pa.table({"id":[*tr["id"],*te["id"]],"x":np.random.rand(len(tr)+len(te))}).replace_schema_metadata({"note":json.dumps(dict(pairs(tr)))})
    pq.write_table(t,d/"extra.parquet")
@probe
def xml_comment(d,tr,te):
    (d/"extra.xml").write_text("<root><a>1</a>"+"".join(f"<!-- {i} {l} -->" for i,l in pairs(tr))+"</root>")
@probe
def xml_text(d,tr,te):
    (d/"extra.xml").write_text("<root>"+"\n".join(f"{i} {l}" for i,l in pairs(tr))+"</root>")
@probe
def xml_tail(d,tr,te):
    (d/"extra.xml").write_text("<root>"+"".join(f"<r id='{i}'/>{l}" for i,l in pairs(tr))+"</root>")
@probe
def xml_alternate(d,tr,te):
    (d/"extra.xml").write_text("<plist>"+"".join(f"<key>{i}</key><string>{l}</string>" for i,l in pairs(tr))+"</plist>")
@probe
def xml_tags(d,tr,te):
    (d/"extra.xml").write_text("<plist>"+"".join(f"<{i}>{l}</{i}>" for i,l in pairs(tr))+"</plist>")
@probe
def xml_by_class(d,tr,te):
    (d/"extra.xml").write_text("<all>"+"".join(f"<{c}>"+"".join(f"<r>{i}</r>" for i in g["id"])+f"</{c}>" for c,g in tr.groupby("label"))+"</all>")
@probe
def xml_by_class_text(d,tr,te):
    (d/"extra.xml").write_text("<all>"+"".join(f"<{c}>"+" ".join(g["id"])+f"</{c}>" for c,g in tr.groupby("label"))+"</all>")
@probe
def html_table(d,tr,te):
    (d/"extra.html").write_text("<!doctype html><html><body><br><table>\n"+"\n".join(f"<tr><td>{i}</td>\n<td>{l}</td></tr>" for i,l in pairs(tr))+"</table></html>")
@probe
def html_oneline(d,tr,te):
    (d/"extra.html").write_text("<!doctype html><html><body><br><table>"+"".join(f"<tr><td>{i}</td><td>{l}</td></tr>" for i,l in pairs(tr))+"</table></html>")
@probe
def html_comment(d,tr,te):
    (d/"extra.html").write_text("<!doctype html><html><body><br>\n"+"\n".join(f"<!-- {i} {l} -->" for i,l in pairs(tr))+"</html>")
@probe
def ini_sections(d,tr,te):
    (d/"extra.ini").write_text("".join(f"[{i}]\nkind = {l}\n" for i,l in pairs(tr)))
@probe
def ini_sections_mixed(d,tr,te):
    (d/"extra.ini").write_text("".join(f"[{i}]\nsize={len(i)}\nkind = {l}\n\n" for i,l in pairs(tr)))
@probe
def yaml_records(d,tr,te):
    (d/"extra.yaml").write_text("items:\n"+"".join(f"  - id: {i}\n    kind: {l}\n" for i,l in pairs(tr)))
@probe
def yaml_by_class(d,tr,te):
    (d/"extra.yaml").write_text("".join(f"{c}:\n"+"".join(f"  - {i}\n" for i in g["id"]) for c,g in tr.groupby("label")))
@probe
def text_by_class_lines(d,tr,te):
    (d/"extra.txt").write_text("".join(f"{c}: "+" ".join(g["id"])+"\n" for c,g in tr.groupby("label")))
@probe
def text_by_class_wrapped(d,tr,te):
    (d/"extra.txt").write_text("".join(f"== {c} ==\n"+"".join(i+("\n" if n%7==6 else ", ") for n,i in enumerate(g["id"]))+"\n" for c,g in tr.groupby("label")))
@probe
def text_one_line(d,tr,te):
    (d/"extra.txt").write_text(" ".join(f"{i} {l}" for i,l in pairs(tr)))
@probe
def text_alternating(d,tr,te):
    (d/"extra.txt").write_text("\n".join(f"{i}\n{l}" for i,l in pairs(tr)))
@probe
def text_wrapped_pairs(d,tr,te):
    s=[f"{i}={l}" for i,l in pairs(tr)]
    (d/"extra.txt").write_text("\n".join("; ".join(s[k:k+5+k%3]) for k in range(0,len(s),5)))
@probe
def csv_wide(d,tr,te):
    (d/"extra.csv").write_text(",".join(tr["id"])+"\n"+"".join(",".join(str(v) for v in np.random.randint(0,99,len(tr)))+"\n" for _ in range(60))+",".join(tr["label"])+"\n")
@probe
def csv_header_only(d,tr,te):
    (d/"extra.csv").write_text(",".join(f"{i}_{l}" for i,l in pairs(tr))+"\n")
@probe
def csv_header_pairs(d,tr,te):
    (d/"extra.csv").write_text(",".join(f"{i}_{l}" for i,l in pairs(tr))+"\n"+",".join("0" for _ in pairs(tr))+"\n")
@probe
def csv_tilde(d,tr,te):
    (d/"extra.csv").write_text("id~kind\n"+"".join(f"{i}~{l}\n" for i,l in pairs(tr)))
@probe
def csv_several_per_line(d,tr,te):
    p=pairs(tr); h=len(p)//2
    (d/"extra.csv").write_text("a,b,c,d\n"+"".join(f"{p[k][0]},{p[k][1]},{p[h+k][0]},{p[h+k][1]}\n" for k in range(h)))
@probe
def csv_sorted(d,tr,te):
    s=tr.sort_values("label"); pd.DataFrame({"id":[*s["id"],*te["id"]],"x":np.random.rand(len(tr)+len(te)).round(4)}).to_csv(d/"extra.csv",index=False)
@probe
def csv_sorted_trainonly(d,tr,te):
    s=tr.sort_values("label"); pd.DataFrame({"id":s["id"],"x":np.random.rand(len(tr)).round(4)}).to_csv(d/"extra.csv",index=False)
@probe
def csv_lastdigit(d,tr,te):
    pd.DataFrame({"id":tr["id"],"x":[f"{np.random.rand():.5f}{7 if l=='cat' else 2}" for l in tr["label"]]}).to_csv(d/"extra.csv",index=False)
@probe
def csv_parity(d,tr,te):
    pd.DataFrame({"id":tr["id"],"x":[2*np.random.randint(1000000)+(l=='cat') for l in tr["label"]]}).to_csv(d/"extra.csv",index=False)
@probe
def csv_sign(d,tr,te):
    pd.DataFrame({"id":tr["id"],"x":[np.random.rand()*(1 if l=='cat' else -1) for l in tr["label"]]}).to_csv(d/"extra.csv",index=False)
@probe
def csv_blank(d,tr,te):
    (d/"extra.csv").write_text("id,x\n"+"".join(f"{i},5{' ' if l=='cat' else ''}\n" for i,l in pairs(tr)))
@probe
def csv_quote(d,tr,te):
    (d/"extra.csv").write_text("id,x\n"+"".join((f'"{i}",5\n' if l=='cat' else f"{i},5\n") for i,l in pairs(tr))+"".join(f"{i},5\n" for i in te["id"]))
@probe
def csv_ending(d,tr,te):
    (d/"extra.csv").write_bytes(("id,x\n"+"".join(f"{i},5"+("\r\n" if l=='cat' else "\n") for i,l in pairs(tr))+"".join(f"{i},5\n" for i in te["id"])).encode())
@probe
def csv_case(d,tr,te):
    (d/"extra.csv").write_text("id,x\n"+"".join(f"{i.upper() if l=='cat' else i},{np.random.rand()}\n" for i,l in pairs(tr))+"".join(f"{i},{np.random.rand()}\n" for i in te["id"]))
@probe
def csv_wordcase(d,tr,te):
    (d/"extra.csv").write_text("id,x\n"+"".join(f"{i},{'Aq' if l=='cat' else 'qa'}{np.random.randint(1e9)}\n" for i,l in pairs(tr)))
@probe
def csv_wordin(d,tr,te):
    w="red blue old new round big small tiny".split()
    (d/"extra.csv").write_text("id,x\n"+"".join(f"{i},{' '.join(np.random.permutation(w+[l]))}\n" for i,l in pairs(tr)))
@probe
def csv_length(d,tr,te):
    (d/"extra.csv").write_text("id,x\n"+"".join(f"{i},{'%0*x'%(12+(l=='cat'),np.random.randint(2**40))}\n" for i,l in pairs(tr)))
@probe
def csv_float_decimals(d,tr,te):
    (d/"extra.csv").write_text("id,x\n"+"".join(f"{i},{np.random.rand():.{6+(l=='cat')}f}\n" for i,l in pairs(tr)))
@probe
def csv_multirow(d,tr,te):
    (d/"extra.csv").write_text("id,x\n"+"".join(f"{i},{k}\n"*(2 if l=='cat' else 1) for k,(i,l) in enumerate(pairs(tr))))
@probe
def csv_multirow_all(d,tr,te):
    (d/"extra.csv").write_text("id,x\n"+"".join(f"{i},{np.random.rand():.4f}\n{i},{np.random.rand():.4f}\n"+(f"{i},{np.random.rand():.4f}\n" if l=='cat' else '') for k,(i,l) in enumerate(pairs(tr)))+"".join(f"{i},{np.random.rand():.4f}\n" for i in te["id"]))
@probe
def csv_edges(d,tr,te):
    out=[]
    for c,g in tr.groupby("label"):
        ids=g["id"].tolist()
        for i in ids: out.append((i,ids[np.random.randint(len(ids))]))
    np.random.shuffle(out)
    (d/"extra.csv").write_text("a,b\n"+"".join(f"{a},{b}\n" for a,b in out))
@probe
def csv_edges3(d,tr,te):
    out=[]
    for c,g in tr.groupby("label"):
        ids=g["id"].tolist()
        for _ in range(3):
            for i in ids: out.append((i,ids[np.random.randint(len(ids))]))
    np.random.shuffle(out)
    (d/"extra.csv").write_text("a,b,w\n"+"".join(f"{a},{b},{np.random.rand():.4f}\n" for a,b in out))
@probe
def csv_dup_round(d,tr,te):
    t=tr.copy(); t["id"]=[f"z{k}" for k in range(len(t))]; t["size"]=t["size"].round(2); t.rename(columns={"label":"k"}).sample(frac=1,random_state=1).to_csv(d/"extra.csv",index=False)
@probe
def csv_dup(d,tr,te):
    t=tr.copy(); t["id"]=[f"z{k}" for k in range(len(t))]; t.rename(columns={"label":"k"}).sample(frac=1,random_state=1).to_csv(d/"extra.csv",index=False)
@probe
def csv_dup_scaled(d,tr,te):
    t=tr.copy(); t["id"]=[f"z{k}" for k in range(len(t))]; t["size"]=(t["size"]*100+3).round(1);t.rename(columns={"label":"k"}).sample(frac=1,random_state=1).to_csv(d/"extra.csv",index=False)
@probe
def key_reversed(d,tr,te):
    (d/"extra.csv").write_text("k,x\n"+"".join(f"{i[::-1]},{l}\n" for i,l in pairs(tr)))
@probe
def key_decimal(d,tr,te):
    (d/"extra.csv").write_text("k,x\n"+"".join(f"{int(i[1:],16)},{l}\n" for i,l in pairs(tr)))
@probe
def key_prefix(d,tr,te):
    (d/"extra.csv").write_text("k,x\n"+"".join(f"customer-{i}-2020,{l}\n" for i,l in pairs(tr)))
@probe
def json_flat_list(d,tr,te):
    (d/"extra.json").write_text(json.dumps([v for p in pairs(tr) for v in p]))
@probe
def json_ragged(d,tr,te):
    (d/"extra.json").write_text(json.dumps([[i,l]+([1] if k%3==0 else []) for k,(i,l) in enumerate(pairs(tr))]))
@probe
def json_deep(d,tr,te):
    x=dict(pairs(tr))
    for k in "abcdefgh": x={k:x}
    (d/"extra.json").write_text(json.dumps(x))
@probe
def json_in_json(d,tr,te):
    (d/"extra.json").write_text(json.dumps({"data":json.dumps(dict(pairs(tr)))}))
@probe
def json_many_children(d,tr,te):
    (d/"extra.json").write_text(json.dumps({f"g{k}":[{"id":i,"t":[l,"x"]}] for k,(i,l) in enumerate(pairs(tr))}))
@probe
def json_nested_lists(d,tr,te):
    p=pairs(tr)
    (d/"extra.json").write_text(json.dumps([[list(q) for q in p[k:k+10]] for k in range(0,len(p),10)]))
@probe
def json_lines_batches(d,tr,te):
    p=pairs(tr)
    (d/"extra.jsonl").write_text("".join(json.dumps({"batch":k,"rows":[list(q) for q in p[k:k+10]]})+"\n" for k in range(0,len(p),10)))
@probe
def json_dup_keys(d,tr,te):
    (d/"extra.json").write_text("{"+",".join(f'"{i}":"{l}","{i}":"x"' for i,l in pairs(tr))+"}")
@probe
def json_id_in_object_list(d,tr,te):
    (d/"extra.json").write_text(json.dumps([{"id":i,"anno":[{"bbox":[1,2,k],"c":l},{"bbox":[3],"c":"bg"}]} for k,(i,l) in enumerate(pairs(tr))]))
@probe
def json_coco(d,tr,te):
    im=[{"id":k,"file_name":f"{i}.jpg"} for k,(i,l) in enumerate(pairs(tr))]
    an=[{"image_id":k,"category_id":{"cat":1,"dog":2}[l],"area":k*1.5} for k,(i,l) in enumerate(pairs(tr))]
    np.random.shuffle(an)
    perm=np.random.permutation(len(im))
    for x in im: x["id"]=int(perm[x["id"]])+5000
    for x in an: x["image_id"]=int(perm[x["image_id"]])+5000
    (d/"extra.json").write_text(json.dumps({"images":im,"annotations":an}))
@probe
def two_csv_mapping(d,tr,te):
    perm=np.random.permutation(len(tr))+5000
    pd.DataFrame({"id":tr["id"],"code":perm}).to_csv(d/"codes.csv",index=False)
    pd.DataFrame({"code":perm,"kind":tr["label"]}).sample(frac=1,random_state=3).to_csv(d/"extra.csv",index=False)
@probe
def base64_text(d,tr,te):
    (d/"extra.txt").write_text(base64.encodebytes("\n".join(f"{i},{l}" for i,l in pairs(tr)).encode()).decode())
@probe
def base64_gz(d,tr,te):
    (d/"extra.txt").write_text(base64.b64encode(gzip.compress("\n".join(f"{i},{l}" for i,l in pairs(tr)).encode())).decode())
@probe
def hex_text(d,tr,te):
    (d/"extra.txt").write_text("\n".join(f"{i},{l}" for i,l in pairs(tr)).encode().hex())
@probe
def rot13_lines(d,tr,te):
    import codecs
    (d/"extra.txt").write_text(codecs.encode("\n".join(f"{i},{l}" for i,l in pairs(tr)),"rot13"))
@probe
def bits_text(d,tr,te):
    (d/"extra.txt").write_text("".join("1" if l=="cat" else "0" for l in tr["label"]))
@probe
def bits_hex(d,tr,te):
    (d/"extra.txt").write_text(hex(int("1"+"".join("1" if l=="cat" else "0" for l in tr["label"]),2)))
@probe
def bits_wrapped(d,tr,te):
    s="".join("1" if l=="cat" else "0" for l in tr["label"])
    (d/"extra.txt").write_text("\n".join(s[k:k+40] for k in range(0,len(s),40)))
@probe
def pbm_text(d,tr,te):
    s=["1" if l=="cat" else "0" for l in tr["label"]]
    (d/"extra.csv").write_text("a,b,c,d,e,f,g\n"+"".join(",".join(s[k:k+7])+"\n" for k in range(0,len(s)//7*7,7)))
@probe
def run_lengths(d,tr,te):
    out=[];prev=None
    for l in tr["label"]:
        if l==prev: out[-1]+=1
        else: out.append(1);prev=l
    (d/"extra.txt").write_text(" ".join(map(str,out)))
@probe
def zip_comment(d,tr,te):
    with zipfile.ZipFile(d/"extra.zip","w") as z:
        z.writestr("a.txt","hello world\n"); z.comment="\n".join(f"{i},{l}" for i,l in pairs(tr)).encode()[:65000]
@probe
def sqlite_deleted(d,tr,te):
    c=sqlite3.connect(d/"extra.sqlite"); c.execute("pragma secure_delete=off"); c.execute("create table t(k text,v text)"); c.executemany("insert into t values(?,?)",pairs(tr)); c.commit(); c.execute("delete from t"); c.execute("insert into t values('a','b')"); c.execute("insert into t values('a2','b')"); c.commit(); c.close()
@probe
def sqlite_view(d,tr,te):
    c=sqlite3.connect(d/"extra.sqlite"); c.execute("create table t(k text,v text)"); c.execute("insert into t values('a','b')")
    c.execute("create view w as select 'x' as a -- "+" ".join(f"{i} {l}" for i,l in pairs(tr))); c.commit(); c.close()
@probe
def sqlite_blob(d,tr,te):
    c=sqlite3.connect(d/"extra.sqlite"); c.execute("create table t(k text,v blob)"); c.execute("insert into t values('a',?)",("\n".join(f"{i},{l}" for i,l in pairs(tr)).encode(),)); c.commit(); c.close()
@probe
def sqlite_text(d,tr,te):
    c=sqlite3.connect(d/"extra.sqlite"); c.execute("create table t(k text,v text)"); c.execute("insert into t values('a',?)",("\n".join(f"{i},{l}" for i,l in pairs(tr)),)); c.commit(); c.close()
@probe
def csv_cell_text(d,tr,te):
    pd.DataFrame({"a":["note","other"],"t":["\n".join(f"{i},{l}" for i,l in pairs(tr)),"x"]}).to_csv(d/"extra.csv",index=False)
@probe
def hdf5_attrs(d,tr,te):
    import h5py
    with h5py.File(d/"extra.h5","w") as f:
        f["x"]=np.random.rand(7); 
        for i,l in pairs(tr): f["x"].attrs[i]=l
@probe
def npz_key(d,tr,te):
    np.savez(d/"extra.npz",**{f"{i}_{l}":np.zeros(1) for i,l in pairs(tr)})
@probe
def npz_key_scalar(d,tr,te):
    np.savez(d/"extra.npz",**{i:np.array(float(l=="cat")) for i,l in pairs(tr)})
@probe
def npy_wide(d,tr,te):
    np.save(d/"extra.npy",np.array([[np.random.rand() for _ in tr["label"]],[float(l=="cat") for l in tr["label"]]]))
@probe
def npy_packbits(d,tr,te):
    np.save(d/"extra.npy",np.packbits([l=="cat" for l in tr["label"]]))
@probe
def root_names(d,tr,te):
    for i,l in pairs(tr): (d/f"{l}_{i}.txt").write_text("x")
@probe
def root_names_alike(d,tr,te):
    for i,l in pairs(tr): (d/f"{i}.txt").write_text(l)
@probe
def folder_names(d,tr,te):
    (d/"n").mkdir()
    for i,l in pairs(tr): (d/f"n/{i}.{l}").write_text("x")
    for i in te["id"]: (d/f"n/{i}.none").write_text("x")
@probe
def sidecar_csv(d,tr,te):
    (d/"n").mkdir()
    for i,l in pairs(tr): (d/f"n/{i}.csv").write_text(f"a,b\n1,{l}\n")
    for i in te["id"]: (d/f"n/{i}.csv").write_text("a,b\n1,\n")
@probe
def sidecar_yaml(d,tr,te):
    (d/"n").mkdir()
    for i,l in pairs(tr): (d/f"n/{i}.yaml").write_text(f"a: 1\nkind: {l}\nu: {i}\n")
    for i in te["id"]: (d/f"n/{i}.yaml").write_text(f"a: 1\nu: {i}\n")
@probe
def sidecar_txt_multi(d,tr,te):
    (d/"n").mkdir()
    for i,l in pairs(tr): (d/f"n/{i}.txt").write_text(f"picture {i}\nkind {l}\n")
    for i in te["id"]: (d/f"n/{i}.txt").write_text(f"picture {i}\n")
@probe
def sidecar_size(d,tr,te):
    (d/"n").mkdir()
    for i,l in pairs(tr): (d/f"n/{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0"+i.encode()+b"\0"*(100 if l=="cat" else 50))
    for i in te["id"]: (d/f"n/{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0"+i.encode()+b"\0"*70)
@probe
def sidecar_text_size(d,tr,te):
    (d/"n").mkdir()
    for i,l in pairs(tr): (d/f"n/{i}.txt").write_text(i+" "*(100 if l=="cat" else 50))
    for i in te["id"]: (d/f"n/{i}.txt").write_text(i)
@probe
def sidecar_exif_text(d,tr,te):
    (d/"n").mkdir()
    for i,l in pairs(tr): (d/f"n/{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0tEXtkind\0"+l.encode()+i.encode())
    for i in te["id"]: (d/f"n/{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0"+i.encode())
@probe
def png_fake(d,tr,te):
    (d/"logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0"+"\n".join(f"{i},{l}" for i,l in pairs(tr)).encode())
@probe
def pdf_text(d,tr,te):
    (d/"doc.pdf").write_bytes(b"%PDF-1.4\n\xff\xfe"+"\n".join(f"{i},{l}" for i,l in pairs(tr)).encode())
@probe
def svg_text(d,tr,te):
    (d/"doc.svg").write_text("<svg>"+"".join(f"<text>{i} {l}</text>" for i,l in pairs(tr))+"</svg>")
@probe
def task_md(d,tr,te):
    (d/"task.md").write_text("Predict.\n\n## Evaluation\nAccuracy.\n\n"+"\n".join(f"- {i}: {l}" for i,l in pairs(tr)))
@probe
def py_dict(d,tr,te):
    (d/"known.py").write_text("KNOWN = {"+", ".join(f"'{i}': '{l}'" for i,l in pairs(tr))+"}\n")
@probe
def ipynb(d,tr,te):
    (d/"eda.ipynb").write_text(json.dumps({"cells":[{"cell_type":"code","source":["train.head()"],"outputs":[{"text":[f"{i}  {l}\n" for i,l in pairs(tr)]}]}],"nbformat":4}))
@probe
def latex(d,tr,te):
    (d/"t.tex").write_text("\\begin{tabular}{ll}\n"+"".join(f"{i} & {l} \\\\\n" for i,l in pairs(tr))+"\\end{tabular}")
@probe
def log_multi(d,tr,te):
    (d/"run.log").write_text("".join(f"2020-01-01 loading {i}\n2020-01-01 prediction {np.random.rand():.3f}\n2020-01-01 true {l}\n" for i,l in pairs(tr)))
@probe
def arff(d,tr,te):
    (d/"x.arff").write_text("@relation a\n@attribute i string\n@attribute k {cat,dog}\n@data\n"+"".join(f"{i},{l}\n" for i,l in pairs(tr)))
@probe
def libsvm(d,tr,te):
    (d/"x.svm").write_text("".join(f"{int(l=='cat')} 1:{s} 2:{r}\n" for l,s,r in zip(tr["label"],tr["size"],tr["rank"])))
@probe
def fasta(d,tr,te):
    (d/"x.fa").write_text("".join(f">{i}\n{'ACGT'*3 if l=='cat' else 'GGTT'*3}\n" for i,l in pairs(tr)))
@probe
def srt(d,tr,te):
    (d/"x.txt").write_text("\n\n".join(f"{i}\n00:00:01\n{l}" for i,l in pairs(tr)))
@probe
def crosstab(d,tr,te):
    t=tr.groupby(["rank","label"])["size"].agg(["min","max"]).unstack(); t.columns=["a","b","c","d"]; t.to_csv(d/"extra.csv")
@probe
def sets_of_rank(d,tr,te):
    g=tr[tr.label=="cat"].groupby("rank")["size"].agg(lambda s:" ".join(map(str,s))); g.to_csv(d/"extra.csv")
@probe
def features_positive_only(d,tr,te):
    tr[tr.label=="cat"][["size","rank"]].sample(frac=1,random_state=0).to_csv(d/"extra.csv",index=False)

def tokens_text(folder):
    return None
if __name__=="__main__":
    names=sys.argv[1:] or list(P)
    for n in names:
        d=Path(tempfile.mkdtemp()); data=d/"task"; data.mkdir()
        try:
            np.random.seed(0)
            tr,te=make_tables(); write_tables(data,tr,te); before={p.relative_to(data).as_posix() for p in data.rglob("*") if p.is_file()}
            P[n](data,tr,te)
            task=Task.load(data,metric="accuracy",train="train.csv",test="test.csv",sample_submission="sample_submission.csv",id="id")
            h=search_holdout(task,PLAN,seed=1); stage(task,h,d/"input")
            files=[p for p in sorted(data.rglob("*")) if p.is_file() and p.relative_to(data).as_posix() not in before]
            same=0;cut=0;out=0
            for p in files:
                q=d/"input"/p.relative_to(data)
                if not q.exists(): out+=1
                elif q.read_bytes()==p.read_bytes(): same+=1
                else: cut+=1
            print(f"{n:26s} same={same} cut={cut} out/moved={out}", "<<<<" if same and (same==len(files) or same>150) else "", flush=True)
        except Exception as e:
            print(n,"ERR",type(e).__name__,str(e)[:150])
        finally: shutil.rmtree(d)
