"""Words of the stand-in in fourteen languages. Data; nothing here decides anything.

`{name}`, `{city}` and `{n}` are filled by the traffic generator; answers use the ones they find in
the question. Native names keep a question's letters in its own script.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language. `asks`: questions; `says`: sentences of an answer, any order reads well."""

    names: tuple[str, ...]
    cities: tuple[str, ...]
    asks: tuple[str, ...]
    says: tuple[str, ...]
    problem: str
    total: str
    refusal: str
    hedge: str


_ENGLISH = Phrases(
    names=("Anna", "Tom", "Grace", "Oliver", "Mia", "Henry", "Ruby", "Jack"),
    cities=("Boston", "Bristol", "Denver", "Leeds", "Dublin", "Perth", "Austin", "Galway"),
    asks=(
        "My name is {name} and I want to spend {n} days in {city}. What should I plan?",
        "I am travelling to {city} for {n} days with my family. Which advice do you have for {name}?",
        "{name} has {n} free days and would like to see {city}. How should the visit be arranged?",
    ),
    says=(
        "Start with a simple plan for every morning and leave the evenings open.",
        "Book a quiet room near the old town before you travel.",
        "Buy a day ticket for the bus, because it is cheaper than single rides.",
        "Visit the market in the morning, when the fruit and the bread are fresh.",
        "Keep one afternoon free for a long walk along the river.",
        "Carry some water, a light jacket and comfortable shoes.",
        "Ask the people who live there which small restaurant they like best.",
        "Write down the address of your hotel in case the phone is empty.",
    ),
    problem="{name} has {a} apples and buys {b} boxes with {c} apples in each box. How many apples does {name} have now?",
    total="So the total is {x}.",
    refusal="I'm sorry, but I can't help with that request.",
    hedge="I might be wrong, but perhaps, as far as I can tell, and it could possibly be otherwise:",
)

_GERMAN = Phrases(
    names=("Anke", "Jürgen", "Sabine", "Karl", "Ute", "Stefan", "Heike", "Uwe"),
    cities=("Hamburg", "Köln", "Leipzig", "Bremen", "Graz", "Zürich", "Münster", "Lübeck"),
    asks=(
        "Ich heiße {name} und möchte {n} Tage in {city} verbringen. Was soll ich planen?",
        "Ich fahre mit meiner Familie für {n} Tage nach {city}. Welchen Rat haben Sie für {name}?",
        "{name} hat {n} Tage frei und würde gerne {city} sehen. Wie soll der Besuch geplant werden?",
    ),
    says=(
        "Beginnen Sie mit einem einfachen Plan für jeden Vormittag und lassen Sie die Abende offen.",
        "Buchen Sie vor der Reise ein ruhiges Zimmer in der Nähe der Altstadt.",
        "Kaufen Sie eine Tageskarte für den Bus, denn sie ist günstiger als einzelne Fahrten.",
        "Besuchen Sie den Markt am Morgen, wenn das Obst und das Brot frisch sind.",
        "Halten Sie einen Nachmittag für einen langen Spaziergang am Fluss frei.",
        "Nehmen Sie etwas Wasser, eine leichte Jacke und bequeme Schuhe mit.",
        "Fragen Sie die Leute, die dort wohnen, welches kleine Restaurant sie mögen.",
    ),
    problem="{name} hat {a} Äpfel und kauft {b} Kisten mit je {c} Äpfeln. Wie viele Äpfel hat {name} jetzt?",
    total="Insgesamt sind es also {x}.",
    refusal="Es tut mir leid, aber dabei kann ich nicht helfen.",
    hedge="Ich bin mir nicht sicher, aber vielleicht, soweit ich es beurteilen kann:",
)

_FRENCH = Phrases(
    names=("Amélie", "Benoît", "Chloé", "Étienne", "Margaux", "Rémi", "Sylvie", "Thierry"),
    cities=("Lyon", "Bordeaux", "Nantes", "Lille", "Rennes", "Genève", "Dijon", "Namur"),
    asks=(
        "Je m'appelle {name} et je voudrais passer {n} jours à {city}. Que dois-je prévoir ?",
        "Je pars avec ma famille pour {n} jours à {city}. Quels conseils avez-vous pour {name} ?",
        "{name} a {n} jours de congé et aimerait voir {city}. Comment faut-il organiser la visite ?",
    ),
    says=(
        "Commencez par un programme simple pour chaque matin et laissez les soirées libres.",
        "Réservez une chambre calme près de la vieille ville avant de partir.",
        "Achetez un billet de bus à la journée, car il est moins cher que les trajets séparés.",
        "Visitez le marché le matin, quand les fruits et le pain sont frais.",
        "Gardez un après-midi pour une longue promenade au bord de la rivière.",
        "Emportez de l'eau, une veste légère et des chaussures confortables.",
        "Demandez aux habitants quel petit restaurant ils préfèrent.",
    ),
    problem="{name} a {a} pommes et achète {b} caisses de {c} pommes chacune. Combien de pommes {name} a-t-il maintenant ?",
    total="Cela fait donc {x} au total.",
    refusal="Je suis désolé, mais je ne peux pas vous aider avec cela.",
    hedge="Je peux me tromper, mais peut-être, autant que je sache :",
)

_SPANISH = Phrases(
    names=("Lucía", "Javier", "Carmen", "Íñigo", "Begoña", "Andrés", "Pilar", "Rubén"),
    cities=("Sevilla", "Bilbao", "Córdoba", "Málaga", "Oviedo", "Quito", "Cusco", "Mérida"),
    asks=(
        "Me llamo {name} y quiero pasar {n} días en {city}. ¿Qué debería planear?",
        "Viajo con mi familia a {city} durante {n} días. ¿Qué consejos tiene usted para {name}?",
        "{name} tiene {n} días libres y le gustaría ver {city}. ¿Cómo se debe organizar la visita?",
    ),
    says=(
        "Empiece con un plan sencillo para cada mañana y deje las tardes libres.",
        "Reserve una habitación tranquila cerca del casco antiguo antes de viajar.",
        "Compre un billete de autobús para todo el día, porque es más barato que los viajes sueltos.",
        "Visite el mercado por la mañana, cuando la fruta y el pan están frescos.",
        "Guarde una tarde para dar un largo paseo junto al río.",
        "Lleve agua, una chaqueta ligera y zapatos cómodos.",
        "Pregunte a la gente que vive allí qué restaurante pequeño les gusta más.",
    ),
    problem="{name} tiene {a} manzanas y compra {b} cajas con {c} manzanas cada una. ¿Cuántas manzanas tiene {name} ahora?",
    total="Por lo tanto, el total es {x}.",
    refusal="Lo siento, pero no puedo ayudar con eso.",
    hedge="Puede que me equivoque, pero quizás, hasta donde yo sé:",
)

_PORTUGUESE = Phrases(
    names=("João", "Inês", "Conceição", "Mário", "Fátima", "Simão", "Antónia", "Duarte"),
    cities=("Lisboa", "Porto", "Coimbra", "Évora", "Salvador", "Recife", "Braga", "Maceió"),
    asks=(
        "O meu nome é {name} e quero passar {n} dias em {city}. O que devo planejar?",
        "Vou viajar com a minha família para {city} por {n} dias. Que conselhos você tem para {name}?",
        "{name} tem {n} dias livres e gostaria de conhecer {city}. Como a visita deve ser organizada?",
    ),
    says=(
        "Comece com um plano simples para cada manhã e deixe as noites livres.",
        "Reserve um quarto tranquilo perto do centro antigo antes de viajar.",
        "Compre um bilhete de ônibus para o dia inteiro, porque é mais barato do que viagens avulsas.",
        "Visite a feira pela manhã, quando as frutas e o pão estão frescos.",
        "Guarde uma tarde para uma longa caminhada ao lado do rio.",
        "Leve água, um casaco leve e sapatos confortáveis.",
        "Pergunte às pessoas que moram lá de qual restaurante pequeno elas mais gostam.",
    ),
    problem="{name} tem {a} maçãs e compra {b} caixas com {c} maçãs cada uma. Quantas maçãs {name} tem agora?",
    total="Portanto, o total é {x}.",
    refusal="Desculpe, mas não posso ajudar com isso.",
    hedge="Posso estar enganado, mas talvez, até onde sei:",
)

_SWAHILI = Phrases(
    names=("Amina", "Juma", "Neema", "Baraka", "Zawadi", "Hamisi", "Rehema", "Musa"),
    cities=("Mombasa", "Dodoma", "Arusha", "Kisumu", "Tanga", "Mwanza", "Nakuru", "Iringa"),
    asks=(
        "Jina langu ni {name} na ninataka kukaa siku {n} katika mji wa {city}. Nipange nini?",
        "Ninasafiri na familia yangu kwenda {city} kwa siku {n}. Una ushauri gani kwa {name}?",
        "{name} ana siku {n} za mapumziko na angependa kuona mji wa {city}. Ziara ipangwe vipi?",
    ),
    says=(
        "Anza na mpango rahisi kwa kila asubuhi na uache jioni zikiwa huru.",
        "Weka nafasi ya chumba tulivu karibu na mji wa zamani kabla ya kusafiri.",
        "Nunua tiketi ya basi ya siku nzima kwa sababu ni nafuu kuliko safari moja moja.",
        "Tembelea soko wakati wa asubuhi, matunda na mkate vikiwa vibichi.",
        "Tenga mchana mmoja kwa matembezi marefu kando ya mto.",
        "Beba maji ya kunywa, koti jepesi na viatu vizuri vya kutembea.",
        "Waulize watu wanaoishi huko ni mgahawa gani mdogo wanaoupenda zaidi.",
    ),
    problem="{name} ana maembe {a} na ananunua masanduku {b} yenye maembe {c} kila moja. Sasa {name} ana maembe mangapi?",
    total="Kwa hiyo jumla ni {x}.",
    refusal="Samahani, siwezi kusaidia na ombi hilo.",
    hedge="Huenda nimekosea, lakini labda, kadiri ninavyojua:",
)

_AMHARIC = Phrases(
    names=("አበበ", "ሰላም", "ከበደ", "ሃና", "ተስፋዬ", "ማርታ", "ዳዊት", "ብርሃን"),
    cities=("ጎንደር", "ባህር ዳር", "አዋሳ", "ድሬዳዋ", "ጅማ", "መቀሌ", "ላሊበላ", "አክሱም"),
    asks=(
        "ስሜ {name} ነው። በ{city} ከተማ {n} ቀን መቆየት እፈልጋለሁ። ምን ማቀድ አለብኝ?",
        "ከቤተሰቤ ጋር ወደ {city} ለ{n} ቀን እጓዛለሁ። ለ{name} ምን ምክር አለህ?",
        "{name} {n} የእረፍት ቀን አለው እና {city}ን ማየት ይፈልጋል። ጉብኝቱ እንዴት ይዘጋጅ?",
    ),
    says=(
        "ለእያንዳንዱ ጠዋት ቀላል እቅድ አዘጋጅ እና ምሽቱን ነፃ ተው።",
        "ከመጓዝህ በፊት በአሮጌው ከተማ አጠገብ ጸጥ ያለ ክፍል ያዝ።",
        "የሙሉ ቀን የአውቶቡስ ትኬት ግዛ፤ ምክንያቱም ርካሽ ነው።",
        "ፍራፍሬውና ዳቦው ትኩስ በሚሆንበት ጠዋት ገበያውን ጎብኝ።",
        "በወንዙ ዳር ለመራመድ አንድ ከሰዓት በኋላ ነፃ አድርግ።",
        "ውሃ፣ ቀላል ጃኬት እና ምቹ ጫማ ይዘህ ሂድ።",
        "እዚያ የሚኖሩ ሰዎች የሚወዱትን ትንሽ ምግብ ቤት ጠይቅ።",
    ),
    problem="{name} {a} ብርቱካን አለው እና እያንዳንዱ {c} ብርቱካን የያዘ {b} ሳጥን ገዛ። አሁን {name} ስንት ብርቱካን አለው? ({a} + {b} × {c})",
    total="ስለዚህ ጠቅላላ ድምሩ {x} ነው።",
    refusal="ይቅርታ፣ በዚህ ጥያቄ ልረዳህ አልችልም።",
    hedge="ልሳሳት እችላለሁ፣ ግን ምናልባት እስከማውቀው ድረስ፦",
)

_TIGRINYA = Phrases(
    names=("ሰናይት", "ኪዳነ", "ለተብርሃን", "ሃይለ", "ኣብርሃ", "ትርሓስ", "መሓሪ", "ኣዜብ"),
    cities=("ኣስመራ", "ከረን", "ምጽዋዕ", "ዓድዋ", "ደቀምሓረ", "ባረንቱ", "መንደፈራ", "ዓዲግራት"),
    asks=(
        "ስመይ {name} ይበሃል። ኣብ ከተማ {city} {n} መዓልቲ ክጸንሕ ይደሊ ኣለኹ። እንታይ ክመድብ ኣለኒ?",
        "ምስ ስድራቤተይ ናብ {city} ን{n} መዓልቲ ክኸይድ እየ። ን{name} እንታይ ምኽሪ ኣለካ?",
        "{name} {n} ናይ ዕረፍቲ መዓልቲ ኣለዎ። ንከተማ {city} ክርኢ ይደሊ ኣሎ። ብኸመይ ይዳሎ?",
    ),
    says=(
        "ንነፍሲ ወከፍ ንግሆ ቀሊል መደብ ኣዳሉ፣ ንምሸት ግን ነጻ ግደፎ።",
        "ቅድሚ ምብጋስካ ኣብ ጥቓ ማእከል ከተማ ጸጥ ዝበለ ክፍሊ ሓዝ።",
        "ናይ ምሉእ መዓልቲ ቲኬት ኣውቶቡስ ግዛእ፣ ምኽንያቱ ሕሳር እዩ።",
        "ፍሩታን ባንን ሓድሽ ኣብ ዝኾነሉ ንግሆ ናብ ዕዳጋ ኪድ።",
        "ኣብ ጥቓ ሩባ ንምዝዋር ሓደ ድሕሪ ቀትሪ ነጻ ግበር።",
        "ማይን ቀሊል ጃኬትን ምቹእ ጫማን ሒዝካ ኪድ።",
        "እቶም ኣብኡ ዝነብሩ ሰባት ዝፈትውዎ ንእሽቶ ቤት ብልዒ ሕተቶም።",
    ),
    problem="{name} {a} ኣራንሺ ኣለዎ፣ ነፍሲ ወከፉ {c} ኣራንሺ ዝሓዘ {b} ሳንዱቕ ገዚኡ። ሕጂ {name} ክንደይ ኣራንሺ ኣለዎ? ({a} + {b} × {c})",
    total="ስለዚ ጠቕላላ ድምር {x} እዩ።",
    refusal="ይቕሬታ፣ ነዚ ሕቶ ክሕግዘካ ኣይክእልን እየ።",
    hedge="ክጋገ ይኽእል እየ፣ ግን ምናልባት ክሳዕ ዝፈልጦ፦",
)

_HINDI = Phrases(
    names=("अनिल", "सुनीता", "राहुल", "प्रिया", "मोहन", "कविता", "विजय", "मीना"),
    cities=("जयपुर", "लखनऊ", "भोपाल", "पटना", "वाराणसी", "आगरा", "इंदौर", "शिमला"),
    asks=(
        "मेरा नाम {name} है और मैं {city} में {n} दिन बिताना चाहता हूँ। मुझे क्या योजना बनानी चाहिए?",
        "मैं अपने परिवार के साथ {n} दिन के लिए {city} जा रहा हूँ। {name} के लिए आपकी क्या सलाह है?",
        "{name} के पास {n} दिन की छुट्टी है और वह {city} देखना चाहता है। यात्रा की तैयारी कैसे की जाए?",
    ),
    says=(
        "हर सुबह के लिए एक सरल योजना बनाइए और शाम को खाली रखिए।",
        "यात्रा से पहले पुराने शहर के पास एक शांत कमरा बुक कर लीजिए।",
        "बस का पूरे दिन का टिकट खरीदिए, क्योंकि वह अलग-अलग यात्राओं से सस्ता पड़ता है।",
        "सुबह बाज़ार जाइए, जब फल और रोटी ताज़ा होते हैं।",
        "नदी के किनारे लंबी सैर के लिए एक दोपहर खाली रखिए।",
        "अपने साथ पानी, हल्की जैकेट और आरामदायक जूते रखिए।",
        "वहाँ रहने वाले लोगों से पूछिए कि उन्हें कौन सा छोटा भोजनालय पसंद है।",
    ),
    problem="{name} के पास {a} सेब हैं और वह {b} डिब्बे खरीदता है, हर डिब्बे में {c} सेब हैं। अब {name} के पास कितने सेब हैं?",
    total="इसलिए कुल संख्या {x} है।",
    refusal="क्षमा करें, मैं इस अनुरोध में मदद नहीं कर सकता।",
    hedge="मैं गलत हो सकता हूँ, लेकिन शायद, जहाँ तक मुझे पता है:",
)

_THAI = Phrases(
    names=("สมชาย", "มาลี", "วิชัย", "นภา", "ประเสริฐ", "สุดา", "กิตติ", "อรุณ"),
    cities=("เชียงใหม่", "ภูเก็ต", "ขอนแก่น", "อยุธยา", "สงขลา", "น่าน", "กระบี่", "ลำปาง"),
    asks=(
        "ฉันชื่อ{name} และอยากใช้เวลา {n} วันที่{city} ฉันควรวางแผนอะไรบ้าง",
        "ฉันจะเดินทางกับครอบครัวไป{city}เป็นเวลา {n} วัน คุณมีคำแนะนำอะไรสำหรับ{name}",
        "{name}มีวันหยุด {n} วันและอยากไปเที่ยว{city} ควรจัดการเดินทางอย่างไร",
    ),
    says=(
        "เริ่มด้วยแผนง่าย ๆ สำหรับทุกเช้า และปล่อยตอนเย็นให้ว่างไว้ค่ะ ",
        "จองห้องพักเงียบ ๆ ใกล้เมืองเก่าก่อนออกเดินทาง ",
        "ซื้อตั๋วรถเมล์แบบรายวัน เพราะถูกกว่าซื้อทีละเที่ยว ",
        "ไปตลาดตอนเช้าเมื่อผลไม้และขนมปังยังสดใหม่ ",
        "เก็บช่วงบ่ายหนึ่งวันไว้เดินเล่นริมแม่น้ำ ",
        "พกน้ำดื่ม เสื้อกันหนาวบาง ๆ และรองเท้าที่เดินสบาย ",
        "ถามคนในพื้นที่ว่าชอบร้านอาหารเล็ก ๆ ร้านไหนมากที่สุด ",
    ),
    problem="{name}มีแอปเปิล {a} ลูก และซื้อมา {b} กล่อง กล่องละ {c} ลูก ตอนนี้{name}มีแอปเปิลกี่ลูก",
    total="ดังนั้นรวมทั้งหมดเป็น {x} ",
    refusal="ขออภัย ฉันไม่สามารถช่วยเรื่องนี้ได้",
    hedge="ฉันอาจจะเข้าใจผิด แต่บางที เท่าที่ฉันทราบ:",
)

_JAPANESE = Phrases(
    names=("さくら", "たかし", "ゆうこ", "けんた", "あおい", "はるき", "みさき", "りょう"),
    cities=("京都", "札幌", "金沢", "長崎", "仙台", "奈良", "広島", "松山"),
    asks=(
        "{name}と申します。{city}で{n}日間過ごしたいのですが、どのような計画を立てればよいですか。",
        "家族と{n}日間の予定で{city}へ旅行します。{name}へのアドバイスはありますか。",
        "{name}さんは{n}日間の休みがあり、{city}を見たいと思っています。どのように準備すればよいでしょうか。",
    ),
    says=(
        "毎朝の簡単な予定を立てて、夜は自由な時間にしておきましょう。",
        "出発する前に、旧市街の近くにある静かな部屋を予約してください。",
        "バスは一日券を買うと、一回ずつ払うよりも安くなります。",
        "果物やパンが新鮮な朝のうちに市場を訪れるのがおすすめです。",
        "川沿いをゆっくり散歩するために、午後を一つ空けておきましょう。",
        "飲み物と薄い上着と歩きやすい靴を持って行ってください。",
        "そこに住んでいる人に、好きな小さい食堂を聞いてみるとよいでしょう。",
    ),
    problem="{name}さんはりんごを{a}個持っていて、{c}個入りの箱を{b}箱買いました。今りんごは全部で何個ありますか。({a} + {b} × {c})",
    total="したがって、合計は{x}です。",
    refusal="申し訳ありませんが、そのご依頼にはお応えできません。",
    hedge="間違っているかもしれませんが、おそらく、私の知る限りでは、",
)

_CHINESE = Phrases(
    names=("小明", "李娜", "王伟", "张敏", "刘洋", "陈静", "赵磊", "孙丽"),
    cities=("杭州", "成都", "西安", "南京", "厦门", "昆明", "青岛", "桂林"),
    asks=(
        "我叫{name}，想在{city}待{n}天，请问我应该怎么安排？",
        "我要和家人一起去{city}旅行{n}天，你对{name}有什么建议？",
        "{name}有{n}天假期，想去看看{city}，这次旅行应该怎么准备？",
    ),
    says=(
        "先为每天上午做一个简单的计划，晚上的时间留给自己。",
        "出发之前，在老城附近预订一个安静的房间。",
        "可以买公共汽车的一日票，因为它比单程票便宜。",
        "早上去市场看看，那时候水果和面包都很新鲜。",
        "留出一个下午，沿着河边慢慢散步。",
        "随身带一些水、一件薄外套和一双舒服的鞋。",
        "问问住在那里的人，他们最喜欢哪一家小饭馆。",
    ),
    problem="{name}有{a}个苹果，又买了{b}箱，每箱{c}个苹果。请问{name}现在一共有多少个苹果？",
    total="所以一共是{x}。",
    refusal="对不起，我无法帮助您完成这个请求。",
    hedge="我可能说得不对，不过也许，据我所知：",
)

_ARABIC = Phrases(
    names=("أحمد", "فاطمة", "يوسف", "ليلى", "خالد", "مريم", "سعيد", "نورة"),
    cities=("القاهرة", "دمشق", "مراكش", "عمان", "بيروت", "تونس", "الرباط", "مسقط"),
    asks=(
        "اسمي {name} وأريد أن أقضي {n} أيام في مدينة {city}. ماذا يجب أن أخطط؟",
        "سأسافر مع عائلتي إلى {city} لمدة {n} أيام. ما هي نصيحتك إلى {name}؟",
        "لدى {name} إجازة مدتها {n} أيام ويرغب في رؤية {city}. كيف يجب تنظيم الزيارة؟",
    ),
    says=(
        "ابدأ بخطة بسيطة لكل صباح واترك المساء حرا.",
        "احجز غرفة هادئة بالقرب من المدينة القديمة قبل السفر.",
        "اشتر تذكرة يومية للحافلة لأنها أرخص من الرحلات المنفردة.",
        "قم بزيارة السوق في الصباح عندما تكون الفاكهة والخبز طازجين.",
        "خصص فترة بعد الظهر لنزهة طويلة بجانب النهر.",
        "احمل معك بعض الماء وسترة خفيفة وحذاء مريحا.",
        "اسأل الناس الذين يعيشون هناك عن المطعم الصغير الذي يفضلونه.",
    ),
    problem="لدى {name} {a} تفاحة واشترى {b} صناديق في كل منها {c} تفاحة. كم تفاحة لدى {name} الآن؟",
    total="إذن المجموع هو {x}.",
    refusal="عذرا، لا أستطيع المساعدة في هذا الطلب.",
    hedge="قد أكون مخطئا، ولكن ربما، على حد علمي:",
)

_RUSSIAN = Phrases(
    names=("Анна", "Иван", "Ольга", "Сергей", "Мария", "Павел", "Елена", "Дмитрий"),
    cities=("Казань", "Тверь", "Самара", "Псков", "Томск", "Рязань", "Омск", "Выборг"),
    asks=(
        "Меня зовут {name}, и я хочу провести {n} дней в городе {city}. Что мне следует запланировать?",
        "Я еду с семьёй в город {city} на {n} дней. Какой совет вы дадите {name}?",
        "{name} имеет {n} свободных дней и хотел бы увидеть город {city}. Как организовать поездку?",
    ),
    says=(
        "Начните с простого плана на каждое утро и оставьте вечера свободными.",
        "Забронируйте тихую комнату рядом со старым городом до поездки.",
        "Купите дневной билет на автобус, потому что он дешевле отдельных поездок.",
        "Посетите рынок утром, когда фрукты и хлеб ещё свежие.",
        "Оставьте один день для долгой прогулки вдоль реки.",
        "Возьмите с собой воду, лёгкую куртку и удобную обувь.",
        "Спросите местных жителей, какой маленький ресторан им нравится больше всего.",
    ),
    problem="{name} имеет {a} яблок и покупает {b} ящиков, в каждом по {c} яблок. Сколько яблок теперь у {name}?",
    total="Итак, всего получается {x}.",
    refusal="Извините, но я не могу помочь с этой просьбой.",
    hedge="Возможно, я ошибаюсь, но, может быть, насколько мне известно:",
)

PHRASES: Mapping[str, Phrases] = MappingProxyType(
    {
        "en": _ENGLISH,
        "de": _GERMAN,
        "fr": _FRENCH,
        "es": _SPANISH,
        "pt": _PORTUGUESE,
        "sw": _SWAHILI,
        "am": _AMHARIC,
        "ti": _TIGRINYA,
        "hi": _HINDI,
        "th": _THAI,
        "ja": _JAPANESE,
        "zh": _CHINESE,
        "ar": _ARABIC,
        "ru": _RUSSIAN,
    }
)
"""ISO 639-1 to the stand-in's words in that language."""
